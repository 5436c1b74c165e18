"""Every refusal, as a problem document (RFC 9457) for programs and as a page for people."""

from __future__ import annotations

import http
import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from pipelines.access.sessions import Locked
from pipelines.alerting.life import Conflict
from pipelines.errors import BadInput, GatewatchError, Unavailable
from pipelines.logs import fields

_log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"


class Problem(Exception):
    """A refusal. `detail` is a sentence for a person; `code` a word for programs; `extra` further members."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra

    def body(self) -> dict[str, Any]:
        title = http.HTTPStatus(self.status).phrase
        return {
            "type": "about:blank",
            "title": title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        } | (self.extra)


def not_found(what: str = "there is nothing at this address") -> Problem:
    return Problem(404, "not_found", what)


def install(app: FastAPI) -> None:
    """From now on every refusal of `app` has the form."""
    for kind, handler in (
        (Problem, _problem),
        (RequestValidationError, _invalid),
        (HTTPException, _http),
        (GatewatchError, _ours),
        (Exception, _unexpected),
    ):
        app.add_exception_handler(kind, handler)


def is_page(request: Request) -> bool:
    """Whether a person's browser asks for a page."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def respond(request: Request, problem: Problem) -> Response:
    if is_page(request):
        frame = request.app.state.frame
        if problem.status == 401:
            return RedirectResponse(frame.login_url(request), 303)
        page: Response = frame.problem(request, problem)
        return page
    return JSONResponse(problem.body(), problem.status, problem.headers, MEDIA_TYPE)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return respond(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # What was sent is not repeated: it may hold a password.
    faults = [{"place": [str(part) for part in one["loc"]], "message": str(one["msg"])} for one in error.errors()]
    detail = "; ".join(f"{'.'.join(fault['place'][1:]) or fault['place'][0]}: {fault['message']}" for fault in faults)
    return respond(request, Problem(422, "invalid", detail or "the request cannot be read", faults=faults))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = http.HTTPStatus(error.status_code).name.lower()
    detail = "there is nothing at this address" if error.status_code == 404 else str(error.detail)
    return respond(request, Problem(error.status_code, code, detail, error.headers))


async def _ours(request: Request, error: Exception) -> Response:
    if isinstance(error, Locked):
        wait = {"Retry-After": str(max(1, round(error.wait_s)))}
        return respond(request, Problem(429, "locked", str(error), wait))
    if isinstance(error, Conflict):
        first = {"state": error.state.value, "who": error.who, "at_s": error.at_s}
        return respond(request, Problem(409, "conflict", str(error), None, **first))
    if isinstance(error, BadInput):
        return respond(request, Problem(422, "invalid", str(error)))
    if isinstance(error, Unavailable):
        return respond(request, Problem(503, "unavailable", str(error), {"Retry-After": "5"}))
    _log.error("a request failed", extra=fields(path=request.url.path, reason=str(error)))
    return respond(request, Problem(500, "failed", str(error)))


async def _unexpected(request: Request, _error: Exception) -> Response:
    # Starlette raises it again for the log, with its traceback; whoever asked learns nothing of our inside.
    return respond(request, Problem(500, "fault", "a fault of the console: its log says more"))
