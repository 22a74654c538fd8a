"""The routes: each reads a request, has the work done off the event loop, and replies."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import usearch
from usearch.scores import text_cutoff
from usearch.serve import replies, requests
from usearch.serve.guard import PATIENCE
from usearch.serve.limits import IMAGE_SIDES, THUMBNAIL_SIDES
from usearch.serve.problems import Problem, bad_request

if TYPE_CHECKING:
    from usearch.classify import Classified
    from usearch.opened import OpenStore
    from usearch.serve.limits import Limits
    from usearch.serve.live import LiveStore
    from usearch.serve.outlines import Outlines
    from usearch.serve.pictures import Pictures
    from usearch.serve.uploads import Uploads
    from usearch.serve.workers import Workers
    from usearch.store.parts import PhotoRow
    from usearch.text.class_lists import ClassList

API = "/api/v1"


@dataclass
class Service:
    """What the routes share.

    Attributes:
        live: The store.
        limits: Bounds of requests.
        uploads: Pictures given as questions.
        pictures: Resized photos.
        outlines: Outlines of masks.
        asking: Threads that answer questions.
        drawing: Threads that read and embed pictures: a page full of thumbnails
            does not stand in the way of the next question.
        examples: Words worth a click and their best hits, after the version they are of.
    """

    live: LiveStore
    limits: Limits
    uploads: Uploads
    pictures: Pictures
    outlines: Outlines
    asking: Workers
    drawing: Workers
    examples: tuple[int, list[dict[str, Any]]] = (-1, [])
    examples_lock: threading.Lock = field(default_factory=threading.Lock)


def service_of(request: Request) -> Service:
    """What the routes share."""
    service: Service = request.app.state.service
    return service


async def health(_request: Request) -> Response:
    """That the server runs."""
    return JSONResponse({"status": "ok", "version": usearch.__version__})


async def info(request: Request) -> Response:
    """What is served, and what may be asked of it."""
    service = service_of(request)
    return JSONResponse(await service.asking.run(_info, service))


def _info(service: Service) -> dict[str, Any]:
    opened = service.live.current()
    snapshot = opened.snapshot
    return {
        "version": usearch.__version__,
        "store": {
            "name": snapshot.path.parent.name if snapshot.path.name[0] == "." else "store",
            "version": snapshot.version,
            "photos": snapshot.n_photos,
            "segments": snapshot.n_segments,
            "preset": PurePath(snapshot.preset).name,  # a trained model is called by its path
            "model": snapshot.space.name,
            "segmenter": snapshot.segmenter,
        },
        "cutoff": text_cutoff(opened.calibration, snapshot.n_segments),
        "examples": _examples(service, opened),
        "limits": {
            name: getattr(service.limits, name)
            for name in ("upload_bytes", "text", "where", "terms", "hits", "reach", "classes")
        },
    }


def _examples(service: Service, opened: OpenStore) -> list[dict[str, Any]]:
    from usearch.serve.examples import example_answers

    with service.examples_lock:
        version, words = service.examples
        if version != opened.snapshot.version:
            found = example_answers(opened)
            outlines = service.outlines.of_hits(hit for _, hit in found)
            words = [
                {"text": text, "hit": replies.hit_reply(hit, outline)}
                for (text, hit), outline in zip(found, outlines, strict=True)
            ]
            service.examples = opened.snapshot.version, words
    return words


async def search(request: Request) -> Response:
    """The segments that answer a question."""
    service = service_of(request)
    if request.method == "POST":
        _require_json(request)
        values = requests.read_json(await request.body())
        asked = requests.search_request(values, service.limits)
    else:
        asked = requests.search_request_of_query(request.query_params, service.limits)
    # A question with a picture runs the image network, which takes its time.
    seen = any({"photo", "upload"} & set(term) for term in asked.terms + asked.minus)
    workers = service.drawing if seen else service.asking
    if seen:
        patience: asyncio.Timeout = request.scope[PATIENCE]
        patience.reschedule(asyncio.get_running_loop().time() + service.limits.picture_seconds)
    return JSONResponse(await workers.run(_search, service, asked))


def _search(service: Service, asked: requests.SearchRequest) -> dict[str, Any]:
    opened = service.live.current()
    question = requests.question_of(asked, opened.snapshot, service.uploads)
    answer = opened.ask(
        question,
        asked.offset + asked.k + 1,
        where=asked.where or None,
        per_image=asked.per_image,
        group=asked.group,
        dedupe=asked.dedupe,
        min_score=asked.min_score,
        everything=asked.all,
    )
    return replies.answer_reply(answer, asked, service.outlines)


async def reload(request: Request) -> Response:
    """Look for a new version of the store now."""
    service = service_of(request)
    opened = await service.asking.run(service.live.reload)
    return JSONResponse({"version": opened.snapshot.version})


async def add_upload(request: Request) -> Response:
    """Keep a picture, to ask with it."""
    service = service_of(request)
    if not request.headers.get("content-type", "").lower().startswith("image/"):
        raise Problem(415, "picture", "the body is not a picture", "Content-Type: image/jpeg")
    data = await request.body()
    if not data:
        raise bad_request("the body is empty", "it is the picture's bytes")
    upload = await service.drawing.run(service.uploads.add, data)
    size = {"width": upload.width, "height": upload.height}
    return JSONResponse({"upload": upload.id, "photo_size": size}, 201)


async def show_upload(request: Request) -> Response:
    """A picture that was given, as a JPEG."""
    upload = service_of(request).uploads.get(request.path_params["upload"])
    return Response(upload.shown, media_type="image/jpeg")


async def photo(request: Request) -> Response:
    """What is known of a photo."""
    found = await _with_photo(request, lambda _opened, row: replies.photo_reply(row))
    return JSONResponse(found)


async def segments(request: Request) -> Response:
    """The segments of a photo, with outlines."""
    outlines = service_of(request).outlines
    found = await _with_photo(
        request,
        lambda opened, row: replies.segments_reply(opened.snapshot, row, outlines),
    )
    return JSONResponse(found)


async def thumbnail(request: Request) -> Response:
    """A small JPEG of a photo."""
    return await _picture(request, THUMBNAIL_SIDES)


async def image(request: Request) -> Response:
    """A large JPEG of a photo."""
    return await _picture(request, IMAGE_SIDES)


async def class_map(request: Request) -> Response:
    """Colours, names and shares of a photo's class map."""
    from usearch.serve.classmaps import class_map_values

    return JSONResponse(await _classify(request, class_map_values))


async def class_map_picture(request: Request) -> Response:
    """A photo's class map as an indexed PNG, transparent where there is no class."""
    from usearch.serve.classmaps import class_map_png

    data = await _classify(request, lambda found, _classes: class_map_png(found))
    return Response(data, media_type="image/png")


async def _classify(request: Request, ending: Callable[[Classified, ClassList], Any]) -> Any:
    from usearch.serve.classmaps import classified_photo, listed_classes

    service = service_of(request)
    lines = request.query_params.getlist("class")
    if any(len(line) > service.limits.text for line in lines):
        raise bad_request(f"a class has more than {service.limits.text} characters")
    classes = listed_classes(lines, service.limits.classes)
    unknown = requests.share(request.query_params.get("unknown", "0"), "unknown")

    def work(opened: OpenStore, row: PhotoRow) -> Any:
        return ending(classified_photo(opened, row.photo_id, classes, unknown), classes)

    return await _with_photo(request, work)


async def _picture(request: Request, sides: tuple[int, ...]) -> Response:
    service = service_of(request)
    side = request.query_params.get("side", str(sides[-1]))
    if side not in map(str, sides):
        raise bad_request(f"side is not one of {', '.join(map(str, sides))}")
    picture = await _with_photo(
        request,
        lambda opened, row: service.pictures.get(opened.snapshot, row, int(side)),
        drawing=True,
    )
    tag = f'"{picture.tag}"'
    # Kept by the browser, and asked for again each time: a photo that changed is found out.
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type="image/jpeg", headers=headers)


async def _with_photo(
    request: Request, work: Callable[[OpenStore, PhotoRow], Any], *, drawing: bool = False
) -> Any:
    """The result of work on the photo that a path names, done off the event loop."""
    from usearch.serve.pictures import photo_of

    service = service_of(request)
    number = requests.photo_number(request.path_params["photo"])

    def job() -> Any:
        opened = service.live.current()
        return work(opened, photo_of(opened.snapshot, number))

    return await (service.drawing if drawing else service.asking).run(job)


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "media_type", "the body is not JSON", "Content-Type: application/json")


def _route(path: str, endpoint: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
    return Route(API + path, endpoint, methods=list(methods or ("GET",)))


ROUTES = [
    _route("/health", health),
    _route("/info", info),
    _route("/search", search, "GET", "POST"),
    _route("/reload", reload, "POST"),
    _route("/uploads", add_upload, "POST"),
    _route("/uploads/{upload}", show_upload),
    _route("/photos/{photo}", photo),
    _route("/photos/{photo}/segments", segments),
    _route("/photos/{photo}/thumbnail", thumbnail),
    _route("/photos/{photo}/image", image),
    _route("/photos/{photo}/classmap", class_map),
    _route("/photos/{photo}/classmap.png", class_map_picture),
]
"""The API. `openapi.json` describes each of them."""
