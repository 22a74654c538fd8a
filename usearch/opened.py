"""A store opened for questions: its snapshot, with the models of its preset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from usearch.answers import Answer
from usearch.errors import InputError, UsageError
from usearch.hits import Hits
from usearch.models import presets
from usearch.questions import AnyOf, Askable, Question, SegmentId, Term, Text, as_question
from usearch.ranking import RowArray, Wanted
from usearch.scores import Contrast, load_contrast
from usearch.search import Found, require_same_space, search
from usearch.store import find_store, open_snapshot
from usearch.text.templates import TEMPLATES

if TYPE_CHECKING:
    from usearch.asked import Asked
    from usearch.explain import Explanation
    from usearch.models.presets import Calibration
    from usearch.records import FloatArray
    from usearch.store import Snapshot
    from usearch.text import TextEncoder

Sort = Literal["score", "date", "path"]

_TEXT_HINT = "give a picture; words that look like a path get a backslash in front"


class OpenStore:
    """A snapshot of a store that answers questions.

    What was committed when it was opened is what it sees; open again to see more. Models
    are loaded when the first question needs them.

    Attributes:
        snapshot: The store as it was when opened.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def query(
        self,
        question: Askable,
        k: int = 10,
        *,
        where: str | None = None,
        minus: Iterable[object] = (),
        per_image: int | None = None,
        group: bool = False,
        dedupe: bool = False,
        min_score: float | None = None,
        everything: bool = False,
        sort: Sort | None = None,
    ) -> Hits:
        """The at most `k` segments that answer a question best; the hits of `ask`."""
        return self.ask(
            question,
            k,
            where=where,
            minus=minus,
            per_image=per_image,
            group=group,
            dedupe=dedupe,
            min_score=min_score,
            everything=everything,
            sort=sort,
        ).hits

    def ask(
        self,
        question: Askable,
        k: int = 10,
        *,
        where: str | None = None,
        minus: Iterable[object] = (),
        per_image: int | None = None,
        group: bool = False,
        dedupe: bool = False,
        min_score: float | None = None,
        everything: bool = False,
        sort: Sort | None = None,
    ) -> Answer:
        """The whole answer to a question.

        Args:
            question: A text, a `Path` (a picture), `Region`, `Point` or `SegmentId`, a list of
                these (their sum is looked for), or `any_of(...)` (one ranking for several).
            k: The most hits, at least 1; with `group` the most photos.
            where: A filter over columns of segments and photos; docs/filters.md.
            minus: What is not wanted: as in `question`.
            per_image: The most hits of one photo.
            group: Rank photos, each by its best segment; shows up to 3 of each, or `per_image`.
            dedupe: Fold near copies into the best one.
            min_score: Leave out hits that score less, 0..1; the preset's own cut-off when None.
            everything: Leave out nothing for its score.
            sort: Another order of the same hits; ranks stay.

        Raises:
            UsageError: The question, the filter or a number makes no sense.
            InputError: A picture of the question cannot be used.
            SpaceMismatch: The store was made by another version of its preset.
            ModelError: A model of the preset cannot be loaded.
        """
        return self.ask_each(
            [as_question(question, minus)],
            k,
            where=where,
            per_image=per_image,
            group=group,
            dedupe=dedupe,
            min_score=min_score,
            everything=everything,
            sort=sort,
        )[0]

    def ask_each(
        self,
        questions: Sequence[Askable],
        k: int = 10,
        *,
        where: str | None = None,
        per_image: int | None = None,
        group: bool = False,
        dedupe: bool = False,
        min_score: float | None = None,
        everything: bool = False,
        sort: Sort | None = None,
    ) -> list[Answer]:
        """An answer for each of several questions, as `ask` gives it."""
        cutoff = self.calibration.cutoff if min_score is None else min_score
        wanted = Wanted(k, cutoff, per_image, group, dedupe)
        if everything:
            wanted = Wanted(k, None, per_image, group, dedupe)
        if sort not in (None, "score", "date", "path"):
            raise UsageError(f"hits cannot be sorted by {sort!r}", "score, date or path")
        allowed = None if where is None else self.rows_where(where)
        asked = [as_question(question) for question in questions]
        flat = [one for question in asked for one in _parts(question)]
        vectors = iter(self.vectors_of(flat))
        answers = []
        for question in asked:
            mine = [next(vectors) for _ in _parts(question)]
            found = search(self.snapshot, mine, wanted, self.contrast, allowed)
            answers.append(self._answer(question, found, cutoff, sort))
        return answers

    def explain(self, answer: Answer, question: Askable) -> list[Explanation]:
        """Why each hit of an answer is one; `question` is what was asked, with what was not wanted.

        Raises:
            UsageError: The question makes no sense.
        """
        from usearch.explain import explain_hits

        asked = self.vectors_of(_parts(as_question(question)))
        return explain_hits(self.snapshot, answer.hits, asked, self.contrast)

    def hit_vectors(self, answers: Sequence[Answer]) -> FloatArray:
        """Vectors of all hits in their order, float32 [n, D], unit length."""
        from usearch.picture_terms import segment_row

        rows = [segment_row(self.snapshot, hit.segment) for a in answers for hit in a.hits]
        return self.snapshot.vectors(np.array(rows, np.int64))

    def rows_where(self, where: str) -> RowArray:
        """Rows of the segments that a filter lets through, int64.

        Raises:
            UsageError: The filter makes no sense.
        """
        from usearch.filters import matching_rows, parse_filter

        rows: RowArray = matching_rows(self.snapshot, parse_filter(where))
        return rows

    def vectors_of(self, questions: Sequence[Question]) -> list[Asked]:
        """The questions with the vectors of their terms.

        Raises:
            UsageError: A question makes no sense.
            InputError: A picture cannot be used.
        """
        from usearch.asked import ask_questions

        require_same_space(self.snapshot, self.encoder)
        return ask_questions(questions, self._encode, self._look)

    @property
    def cache_dir(self) -> Path:
        """Where vectors of texts are kept between processes."""
        return self.snapshot.path / "cache"

    @cached_property
    def encoder(self) -> TextEncoder:
        """Text encoder of the store's preset."""
        encoder = presets.load_text_encoder(self.snapshot.preset)
        require_same_space(self.snapshot, encoder)
        return encoder

    @cached_property
    def calibration(self) -> Calibration:
        """Score calibration of the store's preset."""
        return presets.preset_calibration(self.snapshot.preset)

    @cached_property
    def templates(self) -> tuple[str, ...]:
        """Sentences that a question is put into."""
        return TEMPLATES[presets.preset_templates(self.snapshot.preset)]

    @cached_property
    def contrast(self) -> Contrast:
        """What scores are measured against."""
        return load_contrast(self.encoder, self.calibration, self.templates, self.cache_dir)

    @cached_property
    def image_side(self) -> tuple[Any, Any]:
        """Segmenter and embedder of the store's preset, for pictures that it does not hold."""
        from indexer.presets import load_indexer

        segmenter = self.snapshot.segmenter if self.snapshot.segmenter != "given" else None
        return load_indexer(self.snapshot.preset, segmenter)

    def _encode(self, texts: list[str]) -> FloatArray:
        from usearch.text.embed import embed_names

        return embed_names(self.encoder, texts, self.templates, self.cache_dir)

    def _look(self, term: Term) -> FloatArray:
        from usearch import picture_terms

        content = term.content
        if isinstance(content, SegmentId):
            return picture_terms.segment_vector(self.snapshot, content.id)
        assert not isinstance(content, Text)
        return self._place_vector(content)

    def _place_vector(self, place: Any) -> FloatArray:
        from indexer.photos import PhotoError, decode, hash_file
        from usearch import picture_terms
        from usearch.render.safe_text import printable

        name = printable(str(place.path))
        try:
            content = hash_file(place.path)
        except PhotoError as error:
            content, problem = "", error
        photo = picture_terms.known_photo(self.snapshot, place.path, content)
        if photo is not None:
            stored = picture_terms.stored_vector(self.snapshot, photo, place, name)
            if stored is not None:
                return stored
        if not content:
            missing = "there is no such file" if problem.reason == "vanished" else problem.detail
            raise InputError(f"{name}: {missing}", _TEXT_HINT)
        try:
            decoded = decode(place.path)
        except PhotoError as error:
            raise InputError(f"{name}: {error.detail}") from error
        shown = picture_terms.ShownPhoto(name, decoded.image, decoded.width, decoded.height)
        return picture_terms.embedded_vector(shown, place, *self.image_side)

    def _answer(
        self, question: Question | AnyOf, found: Found, cutoff: float, sort: Sort | None
    ) -> Answer:
        from usearch.stored_photos import photo_reader

        hits = found.hits
        if sort == "score":
            hits = sorted(hits, key=lambda hit: -hit.score)
        elif sort == "date":
            hits = sorted(hits, key=lambda hit: (hit.taken_at is None, hit.taken_at or ""))
        elif sort == "path":
            hits = sorted(hits, key=lambda hit: hit.image)
        return Answer(
            question=question.label,
            hits=Hits(hits, photo_reader(self.snapshot)),
            cutoff=cutoff,
            below=found.below,
            best=found.best,
            photos=found.photos,
            segments=found.segments,
        )


def _parts(question: Question | AnyOf) -> tuple[Question, ...]:
    return question.questions if isinstance(question, AnyOf) else (question,)


def open_store(path: str | PathLike[str] | None = None) -> OpenStore:
    """Open a store for questions.

    Args:
        path: The store's folder, or a folder at or below the one that holds `.usearch`; the
            nearest store from the current folder upwards when None.

    Raises:
        StoreNotFound: There is no store.
        StoreError: The store is damaged, or a newer version wrote it.
    """
    if path is None:
        return OpenStore(open_snapshot(find_store()))
    folder = Path(path)
    return OpenStore(open_snapshot(folder if is_store(folder) else find_store(folder)))


def is_store(folder: Path) -> bool:
    """Whether the folder is a store itself, and not one that holds a store."""
    return folder.name == ".usearch" or (folder / "manifest.json").is_file()
