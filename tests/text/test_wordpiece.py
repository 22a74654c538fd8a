"""Text is cut as BERT's uncased tokeniser cuts it, and any text at all is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from usearch.text.wordpiece import WordPiece, clean

PIECES = [
    "[PAD]", "[UNK]", "a", "red", "car", "##s", "dog", "face", "cafe", "un", "##known", "##k",
    "-", ".", "'", "b", "##c", "##a", "c", "##b", "1", "##2",
]  # fmt: skip


@pytest.fixture(scope="module")
def judge():
    ids = {piece: i for i, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


@given(text=st.text("abc kS-.'12é\t\n red cars unknown", max_size=30))
def test_same_pieces_as_the_tokenizers_library(judge, text):
    assert WordPiece(PIECES)(text) == judge.encode(text, add_special_tokens=False).ids


def test_greedy_longest_match():
    cut = WordPiece(PIECES)
    assert [PIECES[i] for i in cut("Red cars")] == ["red", "car", "##s"]
    assert [PIECES[i] for i in cut("unknown")] == ["un", "##known"]
    assert cut("zebra") == [cut.unknown]


def test_accents_case_and_compatibility_forms_do_not_matter():
    assert clean("CAFÉ") == clean("cafe\u0301") == clean("\uff43\uff41\uff46\uff45") == ["cafe"]


def test_an_emoji_is_read_by_its_name():
    assert clean("🐶") == ["dog", "face"]
    assert clean("a🚗") == ["a", "automobile"]


def test_controls_joiners_and_lone_surrogates_vanish():
    assert clean("re\x00d\u200b \ud83d car\x7f") == ["red", "car"]


def test_ideographs_stand_alone():
    assert clean("红色car") == ["红", "色", "car"]


def test_an_endless_word_is_unknown_and_quick():
    cut = WordPiece(PIECES)
    assert cut("c" * 100_000) == [cut.unknown]


@given(st.text())
def test_any_text_is_taken(text):
    assert all(0 <= i < len(PIECES) for i in WordPiece(PIECES)(text))
