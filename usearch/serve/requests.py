"""What a request says, checked: JSON (or a query string) to a question and how to answer it.

Nothing in a request names a file. Texts are texts, whatever they look like; pictures are
photos of the store or uploads, by id.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams

from usearch.questions import AnyOf, Picture, Question, Region, SegmentId, Term, Text, checked_text
from usearch.serve.limits import Limits
from usearch.serve.pictures import file_of, photo_of
from usearch.serve.problems import Problem, bad_request
from usearch.store.parts import SEGMENTS_PER_PHOTO

if TYPE_CHECKING:
    from usearch.serve.uploads import Uploads
    from usearch.store import Snapshot

_LARGEST_ID = 2**62


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as asked, still without the pictures it may name.

    Attributes:
        terms: Term objects of JSON, with `text`, `segment`, `photo` or `upload`.
        minus: The same: what is not wanted.
        any: A segment counts by the term it matches best, and not by all of them.
        where: Filter, "" for none.
        k: Hits on a page.
        offset: Hits before it.
        per_image: Most hits of one photo; None for no bound.
        group: Rank photos, by their best segments.
        dedupe: Leave out near copies.
        min_score: Score below which nothing is given; None takes the preset's cut-off.
        all: Give what is nearest, matching or not.
        masks: Give masks as COCO run lengths as well.
    """

    terms: tuple[dict[str, Any], ...]
    minus: tuple[dict[str, Any], ...] = ()
    any: bool = False
    where: str = ""
    k: int = 50
    offset: int = 0
    per_image: int | None = None
    group: bool = False
    dedupe: bool = False
    min_score: float | None = None
    all: bool = False
    masks: bool = False


def read_json(body: bytes) -> Any:
    """The JSON of a body.

    Raises:
        Problem: 400, it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request("the body is not JSON") from None


def search_request(values: Any, limits: Limits) -> SearchRequest:
    """A search as JSON values.

    Raises:
        Problem: 400, a value is missing, of the wrong kind or out of bounds.
    """
    if not isinstance(values, dict):
        raise bad_request("the body is not a JSON object")
    unknown = sorted(set(values) - set(SearchRequest.__dataclass_fields__))
    if unknown:
        raise bad_request(f"there is no field {unknown[0][:40]!r}", "/openapi.json lists them")
    terms, minus = (_terms(values.get(name, []), name, limits) for name in ("terms", "minus"))
    if not terms:
        raise bad_request("nothing was asked", 'give terms, such as [{"text": "red car"}]')
    if len(terms) + len(minus) > limits.terms:
        raise bad_request(f"{len(terms) + len(minus)} terms; {limits.terms} are the limit")
    request = SearchRequest(
        terms=terms,
        minus=minus,
        any=_flag(values, "any"),
        where=_words(values.get("where", ""), "where", limits.where),
        k=_whole(values, "k", 1, limits.hits, 50),
        offset=_whole(values, "offset", 0, limits.reach, 0),
        per_image=_whole(values, "per_image", 1, limits.reach, None),
        group=_flag(values, "group"),
        dedupe=_flag(values, "dedupe"),
        min_score=_number(values, "min_score", 0.0, 1.0),
        all=_flag(values, "all"),
        masks=_flag(values, "masks"),
    )
    if request.offset + request.k > limits.reach:
        raise bad_request(f"hits are given up to number {limits.reach}", "narrow the question")
    return request


def search_request_of_query(query: QueryParams, limits: Limits) -> SearchRequest:
    """A search as a query string: `?q=red+car&minus=toy&k=20`, for programs and by hand.

    Raises:
        Problem: As `search_request`.
    """
    values: dict[str, Any] = {}
    for name, given in query.multi_items():
        if name == "q":
            values.setdefault("terms", []).append({"text": given})
        elif name == "segment":
            values.setdefault("terms", []).append({"segment": _as_number(given)})
        elif name == "minus":
            values.setdefault("minus", []).append({"text": given})
        elif name in ("any", "group", "dedupe", "all", "masks"):
            values[name] = {"1": True, "true": True, "0": False, "false": False}.get(given, given)
        elif name in ("k", "offset", "per_image", "min_score"):
            values[name] = _as_number(given)
        elif name == "where":
            values[name] = given
        else:
            raise bad_request(f"there is no parameter {name[:40]!r}", "/openapi.json lists them")
    return search_request(values, limits)


def question_of(request: SearchRequest, snapshot: Snapshot, uploads: Uploads) -> Question | AnyOf:
    """The question of a request.

    Raises:
        Problem: A photo, segment or upload is not there.
        UsageError: The terms make no question.
    """
    wanted = [_term(values, snapshot, uploads) for values in request.terms]
    unwanted = [_term(values, snapshot, uploads, sign=-1.0) for values in request.minus]
    if request.any and len(wanted) > 1:
        return AnyOf(tuple(Question((term, *unwanted)) for term in wanted))
    return Question((*wanted, *unwanted))


def _term(
    values: Mapping[str, Any], snapshot: Snapshot, uploads: Uploads, sign: float = 1.0
) -> Term:
    weight = sign * values.get("weight", 1.0)
    if "text" in values:
        return Term(Text(values["text"]), weight)
    if "segment" in values:
        photo, index = divmod(values["segment"], SEGMENTS_PER_PHOTO)
        if index >= photo_of(snapshot, photo).n_segments:
            raise Problem(404, "not_found", f"there is no segment {values['segment']}")
        return Term(SegmentId(values["segment"]), weight)
    if "upload" in values:
        upload = uploads.get(values["upload"])
        path, size, name = upload.path, (upload.width, upload.height), "your picture"
    else:
        photo = photo_of(snapshot, values["photo"])
        path, size, name = file_of(photo)[0], (photo.width, photo.height), f"photo {photo.photo_id}"
    if "box" not in values:
        return Term(Picture(path), weight, name)
    box = _inside(values["box"], size)
    x0, y0, x1, y1 = box
    return Term(Region(Path(path), box), weight, f"{name}@{x0:g},{y0:g},{x1 - x0:g},{y1 - y0:g}")


def _inside(box: list[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    width, height = size
    x0, x1 = (min(max(float(x), 0.0), width) for x in box[0::2])
    y0, y1 = (min(max(float(y), 0.0), height) for y in box[1::2])
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise bad_request("the box is empty, or outside the picture", "a box is x0, y0, x1, y1")
    return x0, y0, x1, y1


def _terms(given: Any, name: str, limits: Limits) -> tuple[dict[str, Any], ...]:
    if not isinstance(given, list):
        raise bad_request(f"{name} is not a list of terms")
    return tuple(_checked_term(values, limits) for values in given)


def _checked_term(values: Any, limits: Limits) -> dict[str, Any]:
    kinds = ("text", "segment", "photo", "upload")
    if not isinstance(values, dict) or sum(kind in values for kind in kinds) != 1:
        raise bad_request("a term is not an object with one of text, segment, photo, upload")
    allowed = {*kinds, "weight"} | ({"box"} if {"photo", "upload"} & set(values) else set())
    if set(values) - allowed:
        raise bad_request(f"a term has a field {sorted(set(values) - allowed)[0][:40]!r}")
    found: dict[str, Any] = {}
    if "text" in values:
        found["text"] = checked_text(_words(values["text"], "text", limits.text))
    if "upload" in values:
        found["upload"] = _words(values["upload"], "upload", 64)
    for name in ("segment", "photo"):
        if name in values:
            found[name] = _whole(values, name, 0, _LARGEST_ID, 0)
    if "box" in values:
        found["box"] = _box(values["box"])
    weight = _number(values, "weight", -100.0, 100.0)
    if weight is not None:
        if weight <= 0:
            raise bad_request("a weight is not above 0", "what is not wanted goes into minus")
        found["weight"] = weight
    return found


def _box(given: Any) -> list[float]:
    four = isinstance(given, list) and len(given) == 4
    if not four or not all(_is_number(value) and abs(value) < 1e9 for value in given):
        raise bad_request("a box is not four numbers", "x0, y0, x1, y1 in pixels as shown")
    return [float(value) for value in given]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _words(given: Any, name: str, most: int) -> str:
    if not isinstance(given, str):
        raise bad_request(f"{name} is not a text")
    if len(given) > most:
        raise bad_request(f"{name} has {len(given)} characters; {most} are the limit")
    return given


def _flag(values: Mapping[str, Any], name: str) -> bool:
    given = values.get(name, False)
    if not isinstance(given, bool):
        raise bad_request(f"{name} is not true or false")
    return given


def _whole(values: Mapping[str, Any], name: str, least: int, most: int, default: Any) -> Any:
    given = values.get(name)
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise bad_request(f"{name} is not a whole number from {least} to {most}")
    return given


def _number(values: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    given = values.get(name)
    if given is None:
        return None
    if not _is_number(given) or not least <= given <= most:
        raise bad_request(f"{name} is not a number from {least:g} to {most:g}")
    return float(given)


def _as_number(text: str) -> int | float | str:
    """A number as JSON has it, or the text where it is none (and is refused by its check)."""
    for kind in (int, float):
        try:
            return kind(text) if len(text) < 25 else text
        except ValueError:
            continue
    return text


def share(text: str, name: str) -> float:
    """A number from 0 to 1 in a query string.

    Raises:
        Problem: 400, it is none.
    """
    number = _number({name: _as_number(text)}, name, 0.0, 1.0)
    return 0.0 if number is None else number


def photo_number(text: str) -> int:
    """A photo's id in a path.

    Raises:
        Problem: 404, it is no number.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem(404, "not_found", "there is no such photo")
    return int(text)
