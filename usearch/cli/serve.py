"""`usearch serve`: a page to search in, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.options import ModelOption, StoreOption, asked_model, chosen_store
from usearch.cli.output import note, open_in_browser, result
from usearch.errors import ExitCode, ModelError, UsageError

if TYPE_CHECKING:
    from usearch.serve.live import LiveStore


def serve(
    store: StoreOption = None,
    model: ModelOption = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Port; 0 takes any that is free.")
    ] = 8765,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            envvar="USEARCH_TOKEN",
            metavar="TEXT",
            help="Answer only who knows this. Needed with another --host.",
            show_default=False,
        ),
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A name by which this machine is reached; repeatable.",
            show_default=False,
        ),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Search in a web page, on this machine.

    \b
    usearch serve
    usearch serve --open
    usearch serve --port 0 --store ~/photos/.usearch
    USEARCH_TOKEN=... usearch serve --host 0.0.0.0

    Prints the page's address and serves until Ctrl-C. New photos appear when `usearch
    index` has committed them. Only this machine can reach it, unless --host says otherwise.
    The same port answers programs: /openapi.json describes how, docs/serve.md more.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: ports are 0 to 65535")
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"the page needs starlette and uvicorn ({error.name} is missing)",
            "pip install 'use-segments[serve]'",
        ) from error
    import socket

    from usearch.serve.app import build_app
    from usearch.serve.guard import LOOPBACK
    from usearch.serve.live import LiveStore
    from usearch.serve.server import check_exposure, listening_socket, run

    check_exposure(host, token)
    live = LiveStore(chosen_store(store), model=asked_model(model))
    with listening_socket(host, port) as listening:
        number = int(listening.getsockname()[1])
        _warm_up(live)
        names = {*LOOPBACK, host, socket.gethostname(), *(allow_host or [])}
        app = build_app(live, token=token, hosts=names, cookie=f"usearch-{number}")
        address = _address(host, number)
        _announce(live, address, token, host)
        if open_page:
            open_in_browser(address + (f"?token={token}" if token else ""))
        try:
            run(app, listening)
        except KeyboardInterrupt as stop:
            note("stopped")
            terminated = type(stop) is not KeyboardInterrupt
            code = ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED
            raise typer.Exit(code) from None


def _warm_up(live: LiveStore) -> None:
    """Load the text side and touch every vector once: the first question is as fast as any."""
    opened = live.current()
    if opened.snapshot.n_segments:
        opened.ask("photo", 1)
        opened.ask("photo", 1)  # the second search of a process is FAISS's, and loads it


def _announce(live: LiveStore, address: str, token: str, host: str) -> None:
    from usearch.serve.server import is_loopback

    snapshot = live.current().snapshot
    note(f"{snapshot.n_photos} photos, {snapshot.n_segments} segments of {snapshot.path}")
    result(address)
    if token:
        note("open it with ?token=... once; a cookie keeps it for this browser")
    if not is_loopback(host):
        note("what is sent is not encrypted: use it in networks that you trust")
    note("Ctrl-C ends it")


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    if ":" in shown and not shown.startswith("["):
        shown = f"[{shown}]"
    return f"http://{shown}:{port}/"
