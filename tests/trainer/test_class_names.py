"""`--preset large-gt`: a second model is trained on masks that people drew, with class names."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from trainer.pairs import PairImage, PairSegment, write_pairs
from trainer.use.photos import PhotoReader, collect, with_class_names
from trainer.use.recipe import Recipe, recipe_of
from usearch import masks
from usearch.errors import InputError

BOX = (1.0, 1.0, 5.0, 5.0)


def segment(kind="object", origin="human", rle=True, texts=("cat", "pet", "a cat on a mat")):
    mask = np.zeros((8, 8), bool)
    mask[1:5, 1:5] = True
    return PairSegment(
        kind, origin, BOX, masks.encode(mask) if rle else None, texts, (1.0,) * len(texts)
    )


def photo(name, *segments):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    return PairImage(f"toy/{name}", "toy", "CC0", file.getvalue(), 8, 8, segments, split="train")


SEGMENTS = (
    segment("box", rle=False),
    segment(texts=("dog", "puppy")),
    segment("caption", texts=("a dog beside a cat",)),
    segment(origin="coco-det"),
    segment("stuff", texts=("grass",)),
)


def test_only_labelled_masks_keep_a_text_and_all_keep_their_place():
    named = with_class_names(photo("a", *SEGMENTS))
    assert [s.texts for s in named.segments] == [(), ("dog",), (), (), ("grass",)]
    assert [len(s.text_weights) for s in named.segments] == [0, 1, 0, 0, 1]
    assert [s.kind for s in named.segments] == [s.kind for s in SEGMENTS]


def test_a_run_counts_and_reads_them_alone(tmp_path):
    file = tmp_path / "pairs.parquet"
    write_pairs([photo("a", *SEGMENTS), photo("b", segment("box", rle=False))], file)
    every, named = collect([file]), collect([file], class_names=True)
    assert every.train_ids == ("toy/a", "toy/b")
    assert named.train_ids == ("toy/a",), "nothing of the other is labelled by a mask"
    assert named.texts == {"dog": 1, "grass": 1}
    assert (named.sources[0].segments, named.sources[0].texts) == (2, 2)
    assert named.fingerprint != every.fingerprint
    read = PhotoReader(named).read(named.train[0])
    assert [s.texts for s in read.segments] == [(), ("dog",), (), (), ("grass",)]


def test_pairs_without_labelled_masks_are_refused(tmp_path):
    file = tmp_path / "pairs.parquet"
    write_pairs([photo("a", segment("caption", texts=("a cat",)))], file)
    with pytest.raises(InputError, match="none of a labelled mask with a class name"):
        collect([file], class_names=True)


def test_the_recipe_of_the_second_model_is_large_but_for_the_names():
    recipe = recipe_of("large-gt")
    assert recipe.class_names
    assert recipe.mask_equal, "a batch holds many segments of one name"
    large = recipe.to_json() | {
        "preset": "large", "class_names": False, "mask_equal": False, "templates": "use4"
    }  # fmt: skip
    assert large == Recipe().to_json()
