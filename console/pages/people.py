"""Users and API tokens, for administrators of the whole site."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from console.access import allow
from console.gate import TheseParts, ThisCaller
from console.pages.login import Text, frame, see_other
from console.parts import Parts
from pipelines.access.passwords import SHORTEST
from pipelines.access.roles import Permission, Role
from pipelines.errors import BadInput

router = APIRouter(include_in_schema=False)
_LASTS_D: Final = (30, 90, 365)
Names = Annotated[list[str] | None, Form()]


@router.get("/people")
@allow(Permission.PEOPLE, whole_site=True)
def people(request: Request, parts: TheseParts) -> Response:
    return _page(request, parts)


@router.post("/people/users")
@allow(Permission.PEOPLE, whole_site=True)
def add_user(
    request: Request,
    parts: TheseParts,
    caller: ThisCaller,
    name: Text,
    role: Annotated[Role, Form()],
    password: Text,
    cameras: Names = None,
) -> Response:
    try:
        parts.people.add_user(name, role, password, by=caller.name, cameras=_scope(parts, cameras))
    except BadInput as error:
        return _page(request, parts, str(error))
    return see_other("/people")


@router.post("/people/users/{name}/revoke")
@allow(Permission.PEOPLE, whole_site=True)
def revoke_user(request: Request, parts: TheseParts, caller: ThisCaller, name: str) -> Response:
    try:
        parts.people.revoke_user(name, by=caller.name)
    except BadInput as error:
        return _page(request, parts, str(error))
    return see_other("/people")


@router.post("/people/tokens")
@allow(Permission.PEOPLE, whole_site=True)
def add_token(
    request: Request,
    parts: TheseParts,
    caller: ThisCaller,
    name: Text,
    role: Annotated[Role, Form()],
    days: Annotated[int, Form(ge=1, le=365)],
    cameras: Names = None,
) -> Response:
    try:
        scope = _scope(parts, cameras)
        _, token = parts.people.add_token(name, role, days * 86_400.0, by=caller.name, cameras=scope)
    except BadInput as error:
        return _page(request, parts, str(error))
    return _page(request, parts, token=token)


@router.post("/people/tokens/{token_id}/revoke")
@allow(Permission.PEOPLE, whole_site=True)
def revoke_token(request: Request, parts: TheseParts, caller: ThisCaller, token_id: str) -> Response:
    try:
        parts.people.revoke_token(token_id, by=caller.name)
    except BadInput as error:
        return _page(request, parts, str(error))
    return see_other("/people")


def _scope(parts: Parts, cameras: list[str] | None) -> list[str] | None:
    """None chosen: the whole site. Raises BadInput: a camera that is not configured."""
    if not cameras:
        return None
    unknown = sorted(set(cameras) - set(parts.config.cameras))
    if unknown:
        raise BadInput(f"there is no camera {unknown[0]!r:.60}")
    return sorted(set(cameras))


def _page(request: Request, parts: Parts, fault: str | None = None, token: str | None = None) -> Response:
    zone, now_s = ZoneInfo(parts.config.site.timezone), parts.clock.now_s()

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        times = {key: _local(row.get(key), zone) for key in ("created_s", "last_used_s", "expires_s", "revoked_s")}
        over = row["revoked_s"] is not None or row.get("expires_s", now_s + 1) <= now_s
        return row | times | {"over": over}

    values = {
        "users": [shown(row) for row in parts.people.users()],
        "tokens": [shown(row) for row in parts.people.tokens()],
        "roles": list(Role),
        "cameras": {name: camera.name or name for name, camera in parts.config.cameras.items()},
        "lasts_d": _LASTS_D,
        "shortest": SHORTEST,
        "fault": fault,
        "token": token,
    }
    return frame(request).page(request, "people.html", values, status=200 if fault is None else 422)


def _local(time_s: float | None, zone: ZoneInfo) -> str:
    return "" if time_s is None else f"{datetime.fromtimestamp(time_s, zone):%Y-%m-%d %H:%M}"
