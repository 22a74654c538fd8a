"""A store opened for questions: its snapshot, with the models of its preset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from usearch.answers import Answer
from usearch.hits import Hits, Sort, check_sort, in_order
from usearch.models import presets
from usearch.questions import (
    AnyOf,
    Askable,
    Question,
    SegmentId,
    Term,
    Text,
    as_question,
)
from usearch.ranking import RowArray, Wanted
from usearch.scores import Contrast, load_contrast
from usearch.search import Found, require_same_space, search
from usearch.store import find_store, open_snapshot
from usearch.text.templates import get_templates

if TYPE_CHECKING:
    import pyarrow as pa

    from usearch.asked import Asked
    from usearch.class_answers import CollectionClasses, ImageClasses
    from usearch.classify import ClassTexts
    from usearch.explain import Explanation
    from usearch.models.presets import Calibration
    from usearch.records import FloatArray, Image
    from usearch.store import Snapshot
    from usearch.text import TextEncoder


class AskOptions(TypedDict, total=False):
    """What `OpenStore.ask` takes beside the question, by name."""

    where: str | None
    per_image: int | None
    group: bool
    dedupe: bool
    min_score: float | None
    everything: bool
    sort: Sort | None


class OpenStore:
    """A snapshot of a store that answers questions.

    What was committed when it was opened is what it sees; open again to see more. Models
    are loaded when the first question needs them.

    Args:
        snapshot: The store.
        model: Folder of the trained model, or name of the preset, to ask with; None for the one
            that made the store.

    Attributes:
        snapshot: The store as it was when opened.
        model: What was given.
    """

    def __init__(self, snapshot: Snapshot, model: str | None = None) -> None:
        self.snapshot = snapshot
        self.model = model

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
        self, questions: Sequence[Askable], k: int = 10, **options: Unpack[AskOptions]
    ) -> list[Answer]:
        """An answer for each of several questions; options as for `ask`."""
        where, sort = options.get("where"), options.get("sort")
        wanted = Wanted(
            k,
            options.get("min_score"),
            options.get("per_image"),
            options.get("group", False),
            options.get("dedupe", False),
            options.get("everything", False),
        )
        check_sort(sort)
        allowed = None if where is None else self.rows_where(where)
        asked = [as_question(question) for question in questions]
        flat = [one for question in asked for one in _parts(question)]
        vectors = iter(self.vectors_of(flat))
        answers = []
        for question in asked:
            mine = [next(vectors) for _ in _parts(question)]
            found = search(self.snapshot, mine, wanted, self.contrast, allowed)
            answers.append(self._answer(question, found, sort))
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

    def segment(
        self,
        image: str | PathLike[str] | Image,
        classes: Iterable[str] | PathLike[str],
        *,
        background: Iterable[str] = (),
        unknown: float = 0.0,
    ) -> ImageClasses:
        """A class for every pixel of a photo, by the rule of `usearch segment`.

        Args:
            image: A photo's path, or its pixels, uint8 [H, W, 3] RGB. A photo that the store
                holds is answered from its vectors and not opened but for its hash.
            classes: Names ("cup, mug" has a synonym, "cup > handle" is a part), or the `Path`
                of a class file.
            background: Names that compete with the classes and become no class.
            unknown: Score below which a pixel is unknown, 0..1; 0 = none is.

        Raises:
            InputError: The photo or the class list cannot be used.
            ModelError: A model of the preset cannot be loaded.
        """
        from usearch import class_answers
        from usearch.classify import Rule
        from usearch.seen_pictures import photo_at

        texts, rule = self._class_texts(classes, background), Rule(unknown)
        if isinstance(image, np.ndarray):
            size = image.shape[0], image.shape[1]
            return class_answers.classes_of_image(image, size, *self.image_side, texts, rule)
        seen = photo_at(self.snapshot, Path(image))
        if isinstance(seen, int):
            return class_answers.classes_of_stored(self.snapshot, seen, texts, rule)
        size = seen.height, seen.width
        return class_answers.classes_of_image(seen.image, size, *self.image_side, texts, rule)

    def classify(
        self,
        classes: Iterable[str] | PathLike[str],
        *,
        where: str | None = None,
        background: Iterable[str] = (),
        unknown: float = 0.0,
    ) -> CollectionClasses:
        """The shares of classes in every photo of the store; no photo is opened.

        Args:
            classes: As for `segment`.
            where: A filter over segments and photos; docs/filters.md.
            background: As for `segment`.
            unknown: As for `segment`.

        Raises:
            InputError: The class list cannot be used.
            UsageError: The filter makes no sense.
        """
        from usearch import class_answers
        from usearch.classify import Rule

        rows = None if where is None else self.rows_where(where)
        texts = self._class_texts(classes, background)
        return class_answers.classes_of_store(self.snapshot, texts, Rule(unknown), rows)

    def info(self) -> dict[str, object]:
        """What the store holds, as plain JSON values."""
        return self.snapshot.info()

    def sql(self, statement: str) -> pa.Table:
        """SQL over the tables `photos` and `segments`, read-only.

        For statements of one's own: never build one from text of others, filter with `where`.

        Raises:
            UsageError: It is no single query, or DuckDB refuses it.
        """
        import pyarrow as pa

        from usearch.store.sql import select

        with self.snapshot.connect() as connection:
            schema, batches = select(connection, statement)
            return pa.Table.from_batches(batches, schema)

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
    def preset(self) -> str:
        """The preset or trained model whose vectors the store holds, where it is now."""
        if self.model is not None:
            return self.model
        return presets.model_of_store(self.snapshot.preset, self.snapshot.space.id)

    @cached_property
    def encoder(self) -> TextEncoder:
        """Text encoder of the store's preset."""
        encoder = presets.load_text_encoder(self.preset)
        require_same_space(self.snapshot, encoder)
        return encoder

    @cached_property
    def calibration(self) -> Calibration:
        """Score calibration of the store's preset."""
        return presets.preset_calibration(self.preset)

    @cached_property
    def templates(self) -> tuple[str, ...]:
        """Sentences that a question is put into."""
        return get_templates(presets.preset_templates(self.preset))

    @cached_property
    def contrast(self) -> Contrast:
        """What scores are measured against."""
        return load_contrast(self.encoder, self.calibration, self.templates, self.cache_dir)

    @cached_property
    def image_side(self) -> tuple[Any, Any]:
        """Segmenter and embedder of the store's preset, for pictures that it does not hold."""
        from indexer.presets import load_indexer

        segmenter = self.snapshot.segmenter if self.snapshot.segmenter != "given" else None
        return load_indexer(self.preset, segmenter)

    def _encode(self, texts: list[str]) -> FloatArray:
        from usearch.text.embed import embed_names

        return embed_names(self.encoder, texts, self.templates, self.cache_dir)

    def _look(self, term: Term) -> FloatArray:
        from usearch.picture_terms import segment_vector
        from usearch.seen_pictures import place_vector

        content = term.content
        if isinstance(content, SegmentId):
            return segment_vector(self.snapshot, content.id)
        assert not isinstance(content, Text)
        return place_vector(self.snapshot, content, lambda: self.image_side)

    def _class_texts(
        self, classes: Iterable[str] | PathLike[str], background: Iterable[str]
    ) -> ClassTexts:
        from usearch.class_answers import class_list
        from usearch.classify import embed_classes

        contrast = list(background)
        return embed_classes(
            class_list(classes),
            self.encoder,
            self.templates,
            self.calibration,
            background=class_list(contrast) if contrast else None,
            cache_dir=self.cache_dir,
        )

    def _answer(self, question: Question | AnyOf, found: Found, sort: Sort | None) -> Answer:
        from usearch.stored_photos import photo_reader

        return Answer(
            question=question.label,
            hits=Hits(in_order(found.hits, sort), photo_reader(self.snapshot)),
            cutoff=found.cutoff,
            below=found.below,
            best=found.best,
            photos=found.photos,
            segments=found.segments,
        )


def _parts(question: Question | AnyOf) -> tuple[Question, ...]:
    return question.questions if isinstance(question, AnyOf) else (question,)


def open_store(
    path: str | PathLike[str] | None = None, model: str | PathLike[str] | None = None
) -> OpenStore:
    """Open a store for questions.

    Args:
        path: The store's folder, or a folder at or below the one that holds `.usearch`; the
            nearest store from the current folder upwards when None.
        model: Folder of the trained model to ask with, where it is not where the store was made.

    Raises:
        StoreNotFound: There is no store.
        StoreError: The store is damaged, or a newer version wrote it.
        UsageError: No model has that name.
        ModelError: The folder holds no trained model.
    """
    named = None if model is None else presets.model_named(fspath(model))
    if path is None:
        return OpenStore(open_snapshot(find_store()), named)
    folder = Path(path)
    return OpenStore(open_snapshot(folder if is_store(folder) else find_store(folder)), named)


def is_store(folder: Path) -> bool:
    """Whether the folder is a store itself, and not one that holds a store."""
    names = ("manifest.json", "manifest.previous.json")
    return folder.name == ".usearch" or any((folder / name).is_file() for name in names)


def named_store(folder: Path) -> Path:
    """The store that somebody named: the folder itself, or `.usearch` in it; never one above.

    Above a folder that was named, another store may lie, and its answers would be wrong.
    """
    inside = folder / ".usearch"
    return inside if not is_store(folder) and inside.is_dir() else folder
