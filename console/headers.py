"""Around every answer: the security headers, a bound on what is sent to us, and the count of answers."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.problems import MEDIA_TYPE

#: No page of ours sends more: forms, a verdict with its note, a zone's polygon.
LONGEST_BODY_BYTES: Final = 256 * 1024

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_TOO_LONG: Final = (
    b'{"type":"about:blank","title":"Content Too Large","status":413,"code":"too_long",'
    b'"detail":"a request may hold at most 256 KiB"}'
)


class Guarded:
    """ASGI: wraps the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS:
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        body = await _whole_body(scope, receive)
        if body is None:
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(_TOO_LONG)).encode())]
            headers.append((b"connection", b"close"))
            await guarded({"type": "http.response.start", "status": 413, "headers": headers})
            await guarded({"type": "http.response.body", "body": _TOO_LONG})
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        await self._app(scope, replay, guarded)


async def _whole_body(scope: Scope, receive: Receive) -> bytes | None:
    """None: it is longer than allowed. Small enough to be held, so nothing behind has to count."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > LONGEST_BODY_BYTES:
        return None
    if scope["method"] in ("GET", "HEAD") and declared == b"0" and b"transfer-encoding" not in dict(scope["headers"]):
        return b""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return body
