"""The one check before every route: who asks, may they, is it their camera, is it their own page that asks, not too often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from console.access import Access, access_of
from console.parts import Parts
from console.problems import Problem, not_found
from pipelines.access.roles import Permission, Principal, sees_all
from pipelines.access.sessions import Session
from pipelines.store import handovers
from pipelines.store.people import note
from pipelines.store.scope import camera_of_alert, camera_of_incident

COOKIE: Final = "gatewatch"
#: Over TLS a browser holds a cookie of this name to: Secure, this host only, the whole path.
SECURE_COOKIE: Final = "__Host-gatewatch"
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf"
#: A page's own regular questions carry this header, so that a forgotten screen is logged out all the same.
BACKGROUND_HEADER: Final = "Gatewatch-Background"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `session`: None for a token."""

    principal: Principal
    session: Session | None

    @property
    def name(self) -> str:
        return self.principal.name


def cookie_name(request: Request) -> str:
    return SECURE_COOKIE if request.url.scheme == "https" else COOKIE


def parts(request: Request) -> Parts:
    found = request.app.state.parts
    assert isinstance(found, Parts)
    return found


def caller(request: Request) -> Caller:
    """For routes that are not public: whoever passed the gate."""
    found = request.state.caller
    if not isinstance(found, Caller):
        raise Problem(401, "not_logged_in", "log in, or send a token")
    return found


ThisCaller = Annotated[Caller, Depends(caller)]
TheseParts = Annotated[Parts, Depends(parts)]


def address_of(request: Request) -> str:
    return request.client.host if request.client is not None else "-"


async def check(request: Request) -> None:
    """A dependency of the whole application. Raises Problem."""
    request.state.caller = None
    access = access_of(request.scope["endpoint"])
    if access is None:
        raise Problem(403, "undeclared", "nobody may use this address: it says not who may")
    found = await run_in_threadpool(_admit, request, access)
    request.state.caller = found
    if request.method in _SAFE:
        return
    if found is None:
        _check_origin(request, needed=False)
    elif found.session is not None:
        _check_origin(request, needed=True)
        if not found.session.csrf_fits(await _csrf_sent(request)):
            raise Problem(403, "csrf", "this page is older than your log-in: load it again")


def _admit(request: Request, access: Access) -> Caller | None:
    """In a thread: it asks the store. Raises Problem."""
    found = _who(request, access)
    if found is None:
        if not access.public:
            headers = {"WWW-Authenticate": 'Bearer realm="gatewatch"'}
            raise Problem(401, "not_logged_in", "log in, or send a token", headers)
        return None
    wait_s = parts(request).by_caller.take(found.principal.key)
    if wait_s > 0.0:
        raise Problem(429, "too_many", "too many requests", {"Retry-After": str(max(1, round(wait_s)))})
    try:
        _check_may(request, access, found.principal)
    except Problem as refusal:
        if access.permission is Permission.EXPORT:
            _note_refusal(request, found, refusal)
        raise
    return found


def _check_may(request: Request, access: Access, principal: Principal) -> None:
    """Raises Problem."""
    if not access.admits(principal):
        raise Problem(403, "not_allowed", f"the role {principal.role} may not do this, or not for the whole site")
    _check_scope(request, principal)
    if access.originals and not parts(request).unblurred(principal):
        raise Problem(403, "blurred_only", "this role sees people only blurred, and video cannot be blurred")


def _note_refusal(request: Request, caller: Caller, refusal: Problem) -> None:
    """An inspection asks who wanted to take something out, and did not get it."""
    detail = {"camera": request.path_params.get("camera", ""), "why": refusal.code}
    with parts(request).database.write() as connection:
        note(connection, parts(request).clock.now_s(), caller.name, "export.refused", request.url.path, detail)


def _who(request: Request, access: Access) -> Caller | None:
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, text = header.partition(" ")
        principal = parts(request).people.of_token(text.strip()) if kind.lower() == "bearer" else None
        if principal is None and not access.public:
            headers = {"WWW-Authenticate": 'Bearer realm="gatewatch", error="invalid_token"'}
            raise Problem(401, "bad_token", "this token is unknown, has expired or was revoked", headers)
        return None if principal is None else Caller(principal, None)
    secret = request.cookies.get(cookie_name(request))
    if not secret:
        return None
    person = not access.background and BACKGROUND_HEADER not in request.headers
    session = parts(request).sessions.find(secret, person=person)
    return None if session is None else Caller(session.principal, session)


def _check_scope(request: Request, principal: Principal) -> None:
    """What is out of scope is not there: the answer is that of an id that nobody ever gave."""
    given = request.path_params
    if "camera" in given and not principal.sees(given["camera"]):
        raise not_found("there is no such camera")
    if "handover_id" in given:
        _check_sheet(request, principal)
    for name, look in (("incident_id", camera_of_incident), ("alert_id", camera_of_alert)):
        if name in given:
            with parts(request).database.read() as connection:
                camera = look(connection, given[name])
            if camera is None or not principal.sees(camera):
                raise not_found(f"there is no such {name.removesuffix('_id')}")


def _check_sheet(request: Request, principal: Principal) -> None:
    """A sheet is for those who may know of every camera that it is about."""
    text = str(request.path_params["handover_id"])
    row = None
    if text.isascii() and text.isdigit() and len(text) < 16:
        with parts(request).database.read() as connection:
            row = handovers.get(connection, int(text))
    if row is None or not sees_all(principal, row["cameras"]):
        raise not_found("there is no such sheet")


def _check_origin(request: Request, *, needed: bool) -> None:
    """A browser says from which page a request comes; another site's page may not act with our cookie."""
    origin = request.headers.get("origin")
    if origin is None:
        if needed:
            raise Problem(403, "csrf", "the request does not say which page it comes from (Origin)")
        return
    if urlsplit(origin).netloc.casefold() != request.headers.get("host", "").casefold():
        raise Problem(403, "csrf", "the request comes from another site's page")


async def _csrf_sent(request: Request) -> str:
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    if request.headers.get("content-type", "").startswith(_FORMS):
        value = (await request.form()).get(CSRF_FIELD)
        return value if isinstance(value, str) else ""
    return ""
