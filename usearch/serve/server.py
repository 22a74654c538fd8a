"""Listening: a socket that is known to be free, and uvicorn on it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

from usearch.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SHORTEST_TOKEN = 16


def check_exposure(host: str, token: str) -> None:
    """Refuse to serve photos to other machines without a token.

    Raises:
        UsageError: The address is not this machine's own, and there is no good token.
    """
    if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise UsageError(
            f"the token has to have {SHORTEST_TOKEN} or more ASCII characters",
            "make one: python -c 'import secrets; print(secrets.token_urlsafe(24))'",
        )
    if not token and not is_loopback(host):
        raise UsageError(
            f"--host {host} would show the photos to other machines, and there is no token",
            "add --token, or leave --host out and come by ssh -L 8765:localhost:8765",
        )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; `getsockname` has the port where 0 was asked for.

    Raises:
        UsageError: There is no such address.
        ServiceError: The port is taken, or may not be used.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise UsageError(f"--host {host} is no address of this machine") from None
    listening = socket.socket(family, kind, number)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise _refused(host, port, error) from error
    return listening


def _refused(host: str, port: int, error: OSError) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return ServiceError(
            f"port {port} of {host} is taken", "another `usearch serve` runs, or add --port 0"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError(f"--host {host} is no address of this machine")
    hint = "ports below 1024 are for administrators" if error.errno == errno.EACCES else ""
    return ServiceError(f"port {port} of {host} cannot be used: {error.strerror}", hint)


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until interrupted; then the interruption goes on as usual."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=128 << 10,
        backlog=128,
    )
    uvicorn.Server(config).run(sockets=[listening])
