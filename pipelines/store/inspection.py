"""What an inspection asks of the record: every incident of a time with how it was answered, and what else was kept then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, case, cast, func, or_, select

from pipelines.store.history import plate_of
from pipelines.store.schema import alerts, audit, deliveries, incident_events, incidents, threads

#: So many ids go into one question.
_AT_ONCE: Final = 500
#: Any thing that was kept says that the site was at work.
_FIRSTS: Final = (incident_events.c.received_s, audit.c.at_s)


@dataclass(frozen=True, slots=True)
class Case:
    """One incident of record. `clock`: how far the clocks could be trusted, as the worker noted it; None: nobody looked.
    `plate`: typed by a person, else empty. Then the thread's moments, None where it has none or that has not happened;
    `told_s` is when its first step was told, `alarmed_s` when an alarm was raised because that had reached nobody."""

    incident_id: str
    camera: str
    camera_name: str
    kind: str
    rule: str
    zone: str
    severity: int
    first_seen_s: float
    opened_s: float
    closed_s: float | None
    drill: bool
    verdict: str
    clock: dict[str, Any] | None
    plate: str
    silenced: str
    begun_s: float | None
    told_s: float | None
    sent_s: float | None
    acknowledged_s: float | None
    on_site_s: float | None
    answered_s: float | None
    alarmed_s: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the audit."""

    at_s: float
    who: str
    action: str
    subject: str
    camera: str
    detail: dict[str, Any]


def cases(connection: Connection, from_s: float, until_s: float, cameras: frozenset[str] | None) -> list[Case]:
    """Those that opened in [from_s, until_s), in order; `cameras` None: of all."""
    return list(_cases(connection, [incidents.c.opened_s >= from_s, incidents.c.opened_s < until_s], cameras))


def still_open(connection: Connection, at_s: float, kinds: Sequence[str], cameras: frozenset[str] | None) -> list[Case]:
    """Those of `kinds` that opened before `at_s` and were not over by then."""
    chosen: list[ColumnElement[bool]] = [
        incidents.c.kind.in_(sorted(kinds)),
        incidents.c.opened_s < at_s,
        or_(incidents.c.closed_s.is_(None), incidents.c.closed_s >= at_s),
    ]
    return list(_cases(connection, chosen, cameras))


def undelivered(connection: Connection, incident_ids: Sequence[str]) -> dict[str, int]:
    """Incident -> how many messages about it were given up; none where none was."""
    found: dict[str, int] = {}
    for begin in range(0, len(incident_ids), _AT_ONCE):
        some = incident_ids[begin : begin + _AT_ONCE]
        rows = connection.execute(
            select(deliveries.c.incident_id, func.count())
            .join(alerts, alerts.c.alert_id == deliveries.c.alert_id)
            .where(deliveries.c.state == "dead", alerts.c.incident_id.in_(some))
            .group_by(deliveries.c.incident_id)
        )
        found |= {row[0]: row[1] for row in rows}
    return found


def lines(connection: Connection, from_s: float, until_s: float) -> list[Line]:
    """The audit of a time, in order."""
    rows = connection.execute(
        select(audit).where(audit.c.at_s >= from_s, audit.c.at_s < until_s).order_by(audit.c.audit_id)
    )
    return [
        Line(row.at_s, row.who, row.action, row.subject, str((row.detail or {}).get("camera", "")), row.detail or {})
        for row in rows
    ]


def began_s(connection: Connection) -> float | None:
    """When the record began; None: it is empty."""
    firsts = [connection.scalar(select(func.min(column))) for column in _FIRSTS]
    return min((first for first in firsts if first is not None), default=None)


def _cases(connection: Connection, chosen: list[ColumnElement[bool]], cameras: frozenset[str] | None) -> Iterator[Case]:
    row, thread = incidents.c, threads.c
    if cameras is not None:
        chosen = [*chosen, row.camera.in_(sorted(cameras))]
    position = func.instr if connection.dialect.name == "sqlite" else func.strpos
    evidence = cast(row.evidence, Text)
    statement = (
        select(
            *(row.incident_id, row.camera, row.camera_name, row.kind, row.rule, row.zone, row.severity),
            *(row.first_seen_s, row.opened_s, row.closed_s, row.drill, row.verdict, row.clock),
            # The whole evidence only where it can hold a plate.
            case((position(evidence, '"plate"') > 0, evidence)),
            *(thread.silenced, thread.created_s, thread.told_s, thread.sent_s),
            *(thread.acknowledged_s, thread.on_site_s, thread.closed_s, thread.alarmed_s),
        )
        .select_from(incidents.outerjoin(threads, thread.incident_id == row.incident_id))
        .where(*chosen)
        .order_by(row.opened_s, row.incident_id)
    )
    for (
        *who,
        drill,
        verdict,
        clock,
        found,
        silenced,
        begun_s,
        told_s,
        sent_s,
        seen_s,
        there_s,
        done_s,
        alarmed_s,
    ) in connection.execute(statement):
        moments = (begun_s, told_s, sent_s, seen_s, there_s, done_s, alarmed_s)
        plate = "" if found is None else plate_of(found)
        graded = clock if isinstance(clock, dict) else None
        fields: list[Any] = [*who, bool(drill), verdict or "none", graded, plate, silenced or "", *moments]
        yield Case(*fields)
