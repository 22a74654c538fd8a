"""Who may ask, and how much: checked before any route, for every request.

- `Host` names this machine: a page elsewhere whose name is made to lead here (DNS rebinding)
  is refused.
- `Origin` and `Sec-Fetch-Site`, where a browser sends them, say that the request comes from
  our own page. There is no CORS.
- A token, where one is set: `Authorization: Bearer`, or the cookie that `/?token=` sets once.
- Bodies have a size, requests a time, and only so many are under way.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from usearch.serve.limits import Limits
from usearch.serve.problems import Problem, answer_of

LOOPBACK = ("localhost", "127.0.0.1", "::1")
UPLOADS = "/api/v1/uploads"
PATIENCE = "usearch.timeout"
"""Where a request's scope has its `asyncio.Timeout`: what takes longer by nature may extend it."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware around the whole application.

    Args:
        app: What is guarded.
        limits: Bounds of requests.
        hosts: Names that `Host` may have; any numeric address passes when `token` is set.
        token: Asked of every request; "" asks for none.
        cookie: Name of the cookie that stands for the token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        hosts: Collection[str] = LOOPBACK,
        token: str = "",
        cookie: str = "usearch",
    ) -> None:
        self._app = app
        self._limits = limits
        self._hosts = {host.lower() for host in hosts}
        self._token = token
        self._cookie = cookie
        # The cookie proves that its owner once had the token, and ends with this process.
        self._pass = hmac.new(secrets.token_bytes(32), token.encode(), "sha256").hexdigest()
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, in the terms of ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        sender = _Sender(send)
        try:
            refused = self._refusal(scope, headers)
            if refused is not None:
                await refused(scope, receive, sender)
                return
            body = self._bounded(scope, headers, receive)
            self._under_way += 1
            try:
                async with asyncio.timeout(self._limits.seconds) as timeout:
                    scope[PATIENCE] = timeout
                    await self._app(scope, body, sender)
            finally:
                self._under_way -= 1
        except Exception as problem:  # noqa: BLE001 - whatever happens, the client gets JSON
            if not sender.began:
                await answer_of(problem)(scope, receive, sender)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What to say instead of an answer; None when the request may pass.

        Raises:
            Problem: The same, as an error.
        """
        host = headers.get("host", "")
        if not self._known(host):
            raise Problem(
                403,
                "host",
                "this address is not one of the server's names",
                "use the address that `usearch serve` printed; --allow-host adds a name",
            )
        self._check_origin(scope, headers, host)
        if self._token:
            refused = self._without_token(scope, headers)
            if refused is not None:
                return refused
        if self._under_way >= self._limits.waiting:
            raise Problem(503, "busy", "too many requests at once", "try again in a moment")
        return None

    def _known(self, host: str) -> bool:
        name = _host_name(host)
        if name in self._hosts:
            return True
        # Only a name can be made to lead here; with a token, any number of this machine will do.
        return bool(self._token) and _is_address(name)

    def _check_origin(self, scope: Scope, headers: Headers, host: str) -> None:
        origin = headers.get("origin")
        elsewhere = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        # A link to the page may be followed from anywhere; nothing else is for other sites.
        opened = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not opened:
            elsewhere = True
        if elsewhere:
            raise Problem(403, "origin", "requests from other sites are refused")

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), self._token):
            return None
        if _same(_cookie_value(headers, self._cookie), self._pass):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = next((value for name, value in query if name == "token"), None)
        if scope["path"] == "/" and token is not None and _same(token, self._token):
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            response = RedirectResponse("/" + (f"?{rest}" if rest else ""), 303)
            response.set_cookie(
                self._cookie, self._pass, httponly=True, samesite="strict", path="/"
            )
            return response
        if scope["path"] == "/":
            text = "This page asks for a token: open the address that usearch serve printed.\n"
            return PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})
        raise Problem(401, "token", "a token is needed", "send Authorization: Bearer TOKEN")

    def _bounded(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """`receive` that ends when the body grows beyond its limit."""
        uploaded = scope["path"] == UPLOADS
        most = self._limits.upload_bytes if uploaded else self._limits.json_bytes
        too_large = Problem(413, "too_large", f"the body has more than {most:,} bytes")
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > most:
            raise too_large
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise too_large
            return message

        return bounded


class _Sender:
    """`send` that adds our headers and knows whether the answer has begun."""

    def __init__(self, send: Callable[..., object]) -> None:
        self._send = send
        self.began = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)  # type: ignore[misc]


def _host_name(host: str) -> str:
    """The name in a `Host` header, without port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _cookie_value(headers: Headers, name: str) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""
