"""Logging in and out, the first user, one's own password; and the static files, which anybody may have."""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.access import allow_anybody, allow_signed_in
from console.frame import Frame
from console.gate import TheseParts, ThisCaller, address_of, cookie_name
from console.parts import Parts
from console.problems import Problem, not_found
from pipelines.access.passwords import LONGEST, SHORTEST
from pipelines.access.roles import Permission, Role
from pipelines.access.sessions import Locked, WrongPassword
from pipelines.errors import BadInput

router = APIRouter(include_in_schema=False)

#: Longer than any name or password may be, so that the rule answers and not the form.
Text = Annotated[str, Form(max_length=1000)]


def frame(request: Request) -> Frame:
    found = request.app.state.frame
    assert isinstance(found, Frame)
    return found


def see_other(path: str) -> RedirectResponse:
    """To another page, by GET."""
    return RedirectResponse(path, 303)


def local_path(text: str) -> str:
    """A path of this site, else the first page: a link may not send people who log in to somebody else's."""
    parsed = urlsplit(text)
    good = text.startswith("/") and not text.startswith(("//", "/\\")) and not parsed.netloc and "\\" not in text
    return text if good and text.isprintable() else "/"


@router.get("/static/{version}/{name}")
@allow_anybody()
def static(request: Request, version: str, name: str) -> Response:
    found = frame(request).static(name)
    if found is None:
        raise not_found()
    return found


@router.get("/login")
@allow_anybody()
def login_page(request: Request, next: str = "/") -> Response:
    if request.state.caller is not None:
        return see_other(local_path(next))
    return frame(request).page(request, "login.html", {"next": local_path(next), "fault": None, "name": ""})


@router.post("/login")
@allow_anybody()
def log_in(
    request: Request, parts: TheseParts, name: Text, password: Text, next: Text = "/", wall: Text = ""
) -> Response:
    wait_s = parts.by_address.take(address_of(request))
    if wait_s > 0:
        wait = {"Retry-After": str(max(1, round(wait_s)))}
        raise Problem(429, "too_many", "too many log-ins from this address", wait)
    try:
        secret, _ = parts.sessions.log_in(name, password, wall=bool(wall), address=address_of(request))
    except WrongPassword:
        return _again(request, name, next, "login.wrong", 401)
    except Locked as error:
        page = _again(request, name, next, "login.locked", 429, seconds=round(error.wait_s))
        page.headers["Retry-After"] = str(max(1, round(error.wait_s)))
        return page
    response = see_other(local_path(next))
    _give_cookie(request, response, secret, parts)
    return response


def _again(request: Request, name: str, next: str, key: str, status: int, **filled: object) -> Response:
    page = frame(request)
    fault = page.words.text(page.language(request), key, **filled)
    values = {"next": local_path(next), "fault": fault, "name": name[:64]}
    return page.page(request, "login.html", values, status=status)


def _give_cookie(request: Request, response: Response, secret: str, parts: Parts) -> None:
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=round(max(parts.sessions.longest_s, parts.sessions.wall_s)),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


@router.post("/logout")
@allow_signed_in()
def log_out(request: Request, parts: TheseParts, caller: ThisCaller) -> Response:
    if caller.session is not None:
        parts.sessions.log_out(caller.session)
    response = see_other("/login")
    response.delete_cookie(cookie_name(request), secure=request.url.scheme == "https", httponly=True, samesite="strict")
    return response


@router.get("/alive")
@allow_signed_in()
def alive(caller: ThisCaller) -> Response:
    """A page says that a person moved: the gate has noted it."""
    return Response(status_code=204)


@router.get("/")
@allow_signed_in()
def first(request: Request, caller: ThisCaller) -> Response:
    """To the first page that the caller may see."""
    return see_other("/now" if caller.principal.may(Permission.SEE) else "/account")


@router.get("/setup/{secret}")
@allow_anybody()
def setup_page(request: Request, parts: TheseParts, secret: str) -> Response:
    _check_setup(parts, secret)
    values = {"fault": None, "name": "", "shortest": SHORTEST}
    return frame(request).page(request, "setup.html", values)


@router.post("/setup/{secret}")
@allow_anybody()
def set_up(request: Request, parts: TheseParts, secret: str, name: Text, password: Text, again: Text) -> Response:
    _check_setup(parts, secret)
    page = frame(request)
    try:
        if password != again:
            raise BadInput(page.words.text(page.language(request), "password.differ"))
        parts.people.add_user(name, Role.ADMIN, password, by="setup", only_first=True)
    except BadInput as error:
        values = {"fault": str(error), "name": name[:64], "shortest": SHORTEST}
        return page.page(request, "setup.html", values, status=422)
    parts.setup_secret = None
    return see_other("/login")


def _check_setup(parts: Parts, secret: str) -> None:
    known = parts.setup_secret
    good = known is not None and hmac.compare_digest(known.encode(), secret.encode())
    if not good or parts.clock.monotonic_s() > parts.setup_until_s:
        raise not_found()


@router.get("/account")
@allow_signed_in()
def account(request: Request, caller: ThisCaller) -> Response:
    return _account(request, None)


def _account(request: Request, fault: str | None, *, done: bool = False) -> Response:
    values = {"fault": fault, "done": done, "shortest": SHORTEST, "longest": LONGEST}
    return frame(request).page(request, "account.html", values, status=200 if fault is None else 422)


@router.post("/account/password")
@allow_signed_in()
def change_password(
    request: Request, parts: TheseParts, caller: ThisCaller, old: Text, password: Text, again: Text
) -> Response:
    page = frame(request)
    if caller.session is None:
        raise Problem(403, "no_password", "a token has no password")
    wait_s = parts.by_address.take(address_of(request))
    if wait_s > 0:
        raise Problem(429, "too_many", "too many tries", {"Retry-After": str(max(1, round(wait_s)))})
    if not parts.sessions.knows_password(caller.name, old):
        return _account(request, page.words.text(page.language(request), "password.old_wrong"))
    if password != again:
        return _account(request, page.words.text(page.language(request), "password.differ"))
    try:
        parts.people.set_password(caller.name, password, by=caller.name, keep_session=caller.session.session_hash)
    except BadInput as error:
        return _account(request, str(error))
    return _account(request, None, done=True)
