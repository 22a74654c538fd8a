"""Refuses network connections in a Python process that has this folder on its path.

An audit hook sees every attempt of the socket module, whoever makes it, and cannot be
taken off again. `tests/conftest.py` puts this folder on PYTHONPATH, so that programs
started by tests (the command line, worker processes) are offline as well.
"""

import os
import sys

_WATCHED = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
_HERE = ("localhost", "127.0.0.1", "::1", "")


def _refuse(event, arguments):
    if event not in _WATCHED:
        return
    address = arguments[0] if event != "socket.connect" else arguments[1]
    if event == "socket.sendto":
        address = arguments[1]
    if isinstance(address, (str, bytes)) and event in ("socket.connect", "socket.sendto"):
        return  # a Unix socket: between processes of this machine
    host = address[0] if isinstance(address, tuple) else address
    if os.environ.get("USEARCH_TESTS_ALLOW_LOOPBACK") and (host or "") in _HERE:
        return
    raise RuntimeError(f"offline is the default: {event} to {host!r}")


sys.addaudithook(_refuse)
