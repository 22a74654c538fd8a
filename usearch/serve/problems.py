"""What a request gets when it cannot be answered: a status and a small JSON object.

    {"error": {"code": "gone", "message": "...", "hint": "..."}}

Messages about the request are passed on. Messages about the server's own files are not: they
go to the terminal that `usearch serve` runs in.
"""

from __future__ import annotations

import sys
import traceback

from starlette.responses import JSONResponse

from usearch.errors import (
    InputError,
    ModelError,
    ResourceError,
    StoreBusy,
    StoreError,
    UsageError,
    UsearchError,
)
from usearch.render.safe_text import printable


class Problem(Exception):
    """A request that is refused.

    Args:
        status: HTTP status.
        code: One word for programs.
        message: What is wrong, in one line.
        hint: What to do about it; "" where the message says it.
        excerpt: The place of the mistake in a filter, and a caret below it.
    """

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", excerpt: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.excerpt = excerpt


def bad_request(message: str, hint: str = "", excerpt: str = "") -> Problem:
    """The request itself makes no sense: 400."""
    return Problem(400, "usage", message, hint, excerpt)


def answer_of(problem: Exception) -> JSONResponse:
    """The response for an exception; what only the server's owner may read goes to stderr."""
    if isinstance(problem, TimeoutError):
        problem = Problem(503, "timeout", "the answer took too long", "ask for less, or try again")
    if isinstance(problem, UsageError):
        problem = bad_request(problem.message, problem.hint, problem.excerpt)
    if not isinstance(problem, Problem):
        tell_owner(problem)
        problem = _in_general(problem)
    headers = {"Retry-After": "2"} if problem.status == 503 else None
    error = {"code": problem.code, "message": problem.message, "hint": problem.hint}
    if problem.excerpt:
        error["excerpt"] = problem.excerpt
    return JSONResponse({"error": error}, problem.status, headers)


_SEE_TERMINAL = "the terminal that `usearch serve` runs in says more"


def _in_general(problem: Exception) -> Problem:
    """What a stranger may know of a failure inside."""
    if isinstance(problem, InputError):
        return Problem(400, "input", "the picture cannot be used", _SEE_TERMINAL)
    if isinstance(problem, StoreBusy):
        return Problem(503, "busy", "the store is being written", "try again in a moment")
    if isinstance(problem, StoreError):
        return Problem(503, "store", "the store cannot be read", _SEE_TERMINAL)
    if isinstance(problem, ModelError):
        return Problem(501, "model", "the model for this is not here", _SEE_TERMINAL)
    if isinstance(problem, MemoryError | ResourceError):
        return Problem(503, "resources", "memory or disk ran out", "ask for less, or try again")
    return Problem(500, "bug", "a bug in usearch", _SEE_TERMINAL)


def tell_owner(problem: Exception) -> None:
    """Write on stderr what went wrong, for whoever started the server."""
    if isinstance(problem, UsearchError):
        lines = f"serve: {problem.message}\n" + (f"  {problem.hint}\n" if problem.hint else "")
    else:
        lines = "serve: " + "".join(traceback.format_exception(problem))
    sys.stderr.write(printable(lines, keep_newlines=True))
    sys.stderr.flush()
