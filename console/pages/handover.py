"""Handover: the sheet of a shift, signed by who gives it and by who takes it, each with their own password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from console import handover
from console.access import allow
from console.api.shapes import Time
from console.gate import TheseParts, ThisCaller, address_of
from console.pages.login import Text, frame, see_other
from console.parts import Parts
from console.problems import Problem
from pipelines.access.roles import Permission, sees_all
from pipelines.access.sessions import Locked, WrongPassword
from pipelines.errors import BadInput
from pipelines.store import handovers
from pipelines.wording import known_keys

router = APIRouter(include_in_schema=False)
Note = Annotated[str, Form(max_length=4000, pattern=r"^[^\x00]*$")]
Local = Annotated[str | None, Query(max_length=32)]
#: Beyond so many, a list of numbers is left to the history.
_SHOWN: Final = 200
_KINDS: Final = frozenset(key.partition(".")[2] for key in known_keys("en") if key.startswith("kind."))


@router.get("/handover")
@allow(Permission.JUDGE)
def overview(request: Request, parts: TheseParts, caller: ThisCaller) -> Response:
    """Shifts that can be handed over, and the sheets that were."""
    with parts.database.read() as connection:
        rows = [row for row in handovers.newest(connection) if sees_all(caller.principal, row["cameras"])]
    values = {
        "shifts": handover.shifts(parts.config, parts.clock.now_s()),
        "rows": rows,
        "may": caller.principal.may(Permission.ANSWER),
        "rosters": bool(parts.config.rosters),
    }
    return frame(request).page(request, "handovers.html", values | _forms(parts))


@router.get("/handover/sheet")
@allow(Permission.JUDGE)
def draft(
    request: Request,
    parts: TheseParts,
    caller: ThisCaller,
    from_s: Time | None = None,
    until_s: Time | None = None,
    begin: Local = None,
    end: Local = None,
) -> Response:
    """A sheet that nobody has signed: of a span in Unix seconds, or in the site's local time (`begin`, `end`)."""
    zone = ZoneInfo(parts.config.site.timezone)
    first_s = _moment(begin, zone) if from_s is None else from_s
    last_s = _moment(end, zone) if until_s is None else until_s
    return _draft(request, parts, caller, first_s, last_s)


def _draft(
    request: Request,
    parts: Parts,
    caller: ThisCaller,
    from_s: float,
    until_s: float,
    note: str = "",
    fault: str | None = None,
) -> Response:
    values = {
        "sheet": handover.sheet(parts, from_s, until_s, caller.principal.cameras),
        "row": None,
        "from_s": from_s,
        "until_s": until_s,
        "note": note,
        "fault": fault,
        "may": caller.principal.may(Permission.ANSWER) and caller.session is not None,
    }
    return _page(request, parts, values, 200 if fault is None else 422)


@router.post("/handover")
@allow(Permission.ANSWER)
def give(
    request: Request,
    parts: TheseParts,
    caller: ThisCaller,
    from_s: Annotated[Time, Form()],
    until_s: Annotated[Time, Form()],
    password: Text,
    note: Note = "",
) -> Response:
    """Whoever is logged in signs for the shift that ends; what the sheet says at this moment is kept."""
    handover.check_span(from_s, until_s, parts.clock.now_s())
    fault = _fault_of(
        request, parts, lambda: parts.sessions.confirm(caller.name, password, address=address_of(request))
    )
    if fault is not None:
        return _draft(request, parts, caller, from_s, until_s, note, fault)
    found = handover.sheet(parts, from_s, until_s, caller.principal.cameras)
    scope = caller.principal.cameras
    with parts.database.write() as connection:
        number = handovers.give(
            connection,
            from_s=from_s,
            until_s=until_s,
            cameras=None if scope is None else sorted(scope),
            sheet=found,
            note=note.strip(),
            who=caller.name,
            now_s=parts.clock.now_s(),
        )
    return see_other(f"/handover/{number}")


@router.get("/handover/{handover_id}")
@allow(Permission.JUDGE)
def show(request: Request, parts: TheseParts, caller: ThisCaller, handover_id: int) -> Response:
    return _stored(request, parts, caller, handover_id)


def _stored(
    request: Request, parts: Parts, caller: ThisCaller, handover_id: int, fault: str | None = None, name: str = ""
) -> Response:
    with parts.database.read() as connection:
        row = handovers.get(connection, handover_id)
    assert row is not None  # the gate has seen it
    values = {
        "sheet": row["sheet"],
        "row": row,
        "from_s": row["from_s"],
        "until_s": row["until_s"],
        "sealed": handovers.seal(row) == row["sha256"],
        "note": row["note"],
        "name": name or ("" if row["given_by"] == caller.name else caller.name),
        "fault": fault,
        "may": caller.principal.may(Permission.ANSWER) and caller.session is not None,
    }
    return _page(request, parts, values, 200 if fault is None else 422)


@router.post("/handover/{handover_id}/take")
@allow(Permission.ANSWER)
def take(
    request: Request,
    parts: TheseParts,
    caller: ThisCaller,
    handover_id: int,
    name: Text,
    password: Text,
    remark: Note = "",
) -> Response:
    """Somebody signs for the shift that begins, at their own screen or at that of the shift that ends."""

    def signed() -> None:
        with parts.database.read() as connection:
            row = handovers.get(connection, handover_id)
        person = parts.sessions.confirm(name, password, address=address_of(request))
        if row is None or not person.may(Permission.ANSWER) or not sees_all(person, row["cameras"]):
            raise BadInput("this person may not take the sheet over: not the role for it, or not all of its cameras")
        with parts.database.write() as connection:
            now_s = parts.clock.now_s()
            handovers.take(connection, handover_id, who=person.name, remark=remark.strip(), now_s=now_s)

    fault = _fault_of(request, parts, signed)
    if fault is not None:
        return _stored(request, parts, caller, handover_id, fault, name[:64])
    return see_other(f"/handover/{handover_id}")


def _fault_of(request: Request, parts: Parts, does: Callable[[], object]) -> str | None:
    """Why it was not done, for the page. Raises Problem: too many tries from this address."""
    wait_s = parts.by_address.take(address_of(request))
    if wait_s > 0:
        raise Problem(429, "too_many", "too many tries", {"Retry-After": str(max(1, round(wait_s)))})
    page = frame(request)
    try:
        does()
    except WrongPassword:
        return page.words.text(page.language(request), "login.wrong")
    except Locked as error:
        return page.words.text(page.language(request), "login.locked", seconds=round(error.wait_s))
    except BadInput as error:
        return str(error)
    return None


def _page(request: Request, parts: Parts, values: dict[str, Any], status: int) -> Response:
    known = {
        "known_kinds": _KINDS,
        "sealed": True,
        "name": "",
        "most": _SHOWN,
        "table": _by_kind(values["sheet"]["counts"]),
    }
    return frame(request).page(request, "handover.html", known | values | _forms(parts), status=status)


def _by_kind(counts: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Kind -> level (or `all`, `drills`) -> how many; drills stand in their own column only. The last row is of all kinds."""
    rows: dict[str, dict[str, int]] = {}
    for one in counts:
        columns = ["drills"] if one["drill"] else [str(one["severity"]), "all"]
        for kind in (one["kind"], ""):
            row = rows.setdefault(kind, {})
            for column in columns:
                row[column] = row.get(column, 0) + one["incidents"]
    return {kind: rows[kind] for kind in sorted(rows, key=lambda kind: (not kind, kind))}


def _forms(parts: Parts) -> dict[str, Callable[..., str]]:
    """How times are shown on paper: local to the site."""
    zone = ZoneInfo(parts.config.site.timezone)

    def moment(time_s: float, form: str = "%Y-%m-%d %H:%M") -> str:
        return datetime.fromtimestamp(time_s, zone).strftime(form)

    def span(seconds: float) -> str:
        minutes, rest = divmod(max(0, round(seconds)), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

    return {"moment": moment, "span": span}


def _moment(text: str | None, zone: ZoneInfo) -> float:
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=zone).timestamp()
    except ValueError as error:
        raise BadInput("say from when until when: dates and times of the site") from error
