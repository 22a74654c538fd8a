"""The application: the routes, the page's own files, and the guard around both."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from usearch.errors import UsearchError
from usearch.serve.endpoints import ROUTES, Service
from usearch.serve.guard import LOOPBACK, Guard
from usearch.serve.limits import THUMBNAIL_SIDES, Limits
from usearch.serve.live import LiveStore
from usearch.serve.outlines import Outlines
from usearch.serve.pictures import Pictures
from usearch.serve.problems import Problem, answer_of
from usearch.serve.uploads import Uploads
from usearch.serve.workers import Workers

STATIC = Path(__file__).parent / "static"
OPENAPI = Path(__file__).parent / "openapi.json"

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}

_FORESEEN = (Problem, UsearchError, Exception)
"""The last one stands for bugs: starlette raises them again, and the guard knows them then."""


def build_app(
    live: LiveStore,
    limits: Limits | None = None,
    *,
    token: str = "",
    hosts: Collection[str] = LOOPBACK,
    cookie: str = "usearch",
) -> ASGIApp:
    """The page and the API over a store.

    Args:
        live: The store.
        limits: Bounds of requests; the usual ones when None.
        token: Asked of every request; "" asks for none.
        hosts: Names of this server.
        cookie: Name of the cookie that stands for the token.
    """
    limits = limits or Limits()
    thumbnails = live.path / "cache" / "thumbnails"
    service = Service(
        live=live,
        limits=limits,
        uploads=Uploads(limits),
        pictures=Pictures(thumbnails, THUMBNAIL_SIDES[-1]),
        outlines=Outlines(),
        asking=Workers(limits.threads, limits.waiting, "ask"),
        drawing=Workers(limits.threads, limits.waiting, "draw"),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.asking.close()
        service.drawing.close()
        service.uploads.close()

    app = Starlette(
        routes=[*ROUTES, *_static_routes()],
        lifespan=lifespan,
        exception_handlers={HTTPException: _not_routed, **dict.fromkeys(_FORESEEN, _refused)},
    )
    app.state.service = service
    return Guard(app, limits=limits, hosts=hosts, token=token, cookie=cookie)


def _static_routes() -> list[BaseRoute]:
    """The page's files, read once: no request leads to the file system."""
    files = {f"/static/{path.name}": path for path in sorted(STATIC.iterdir())}
    files |= {"/": STATIC / "index.html", "/openapi.json": OPENAPI}
    return [_file_route(url, path) for url, path in files.items() if path.suffix in _KINDS]


def _file_route(url: str, path: Path) -> Route:
    data, kind = path.read_bytes(), _KINDS[path.suffix]

    async def send(_request: Request) -> Response:
        return Response(data, media_type=kind, headers={"Cache-Control": "no-cache"})

    return Route(url, send, methods=["GET"])


async def _refused(_request: Request, problem: Exception) -> Response:
    return answer_of(problem)


async def _not_routed(_request: Request, problem: Exception) -> Response:
    """404 and 405 of the router, as JSON."""
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    headers = getattr(problem, "headers", None) or {}
    code, message = {
        404: ("not_found", "there is nothing at this address"),
        405: ("method", "this address does not take this method"),
    }.get(status, ("http", "the request cannot be answered"))
    response = answer_of(Problem(status, code, message, "/openapi.json lists what there is"))
    response.headers.update(headers)
    return response
