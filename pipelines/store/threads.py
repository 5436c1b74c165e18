"""One thread per incident: where the answer to it stands, and everything that happened to it, in order.

Only reading and writing; which moves are possible is decided in `pipelines.alerting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from pipelines.errors import BadInput
from pipelines.store.incidents import add_event
from pipelines.store.many import insert_many, or_ignore
from pipelines.store.schema import alerts, incident_events, incidents, thread_log, threads, verdicts

#: Who does what no person did.
SYSTEM: Final = "gatewatch"


@dataclass(frozen=True, slots=True)
class Thread:
    """A row of `threads`. `step` -1: nobody was told; `silenced` says why when nobody is to be.

    `deadline_s` is by when a person must answer the step told last; past it while the state is still `pending`, `sent` or
    `escalated`, nobody has. `due_s` is for the dispatcher alone.
    """

    incident_id: str
    state: str
    severity: int
    chain: str = ""
    step: int = -1
    silenced: str = ""
    created_s: float = 0.0
    due_s: float | None = None
    deadline_s: float | None = None
    sent_s: float | None = None
    acknowledged_s: float | None = None
    acknowledged_by: str | None = None
    on_site_s: float | None = None
    on_site_by: str | None = None
    closed_s: float | None = None
    closed_by: str | None = None
    alarmed_s: float | None = None
    told_s: float | None = None


_COLUMNS: Final = tuple(threads.c[field.name] for field in fields(Thread))


def get(connection: Connection, incident_id: str) -> Thread | None:
    """The thread of an incident."""
    row = connection.execute(select(*_COLUMNS).where(threads.c.incident_id == incident_id)).first()
    return None if row is None else Thread(*row)


def locked(connection: Connection, incident_ids: Sequence[str]) -> dict[str, Thread]:
    """The threads of these incidents; nobody else changes them or their alerts before this transaction ends."""
    ids = sorted(set(incident_ids))
    if connection.dialect.name == "postgresql":
        # Everybody takes an incident's alerts first and its thread after them, each kind in one order: no two ever wait
        # for each other. SQLite has one writer anyway.
        told = select(alerts.c.alert_id).where(alerts.c.incident_id.in_(ids)).order_by(alerts.c.alert_id)
        connection.execute(told.with_for_update())
    chosen = select(*_COLUMNS).where(threads.c.incident_id.in_(ids)).order_by(threads.c.incident_id)
    return {row.incident_id: Thread(*row) for row in connection.execute(chosen.with_for_update())}


def put(connection: Connection, made: Sequence[Thread]) -> None:
    """Add threads; those that are there already stay as they are."""
    rows = [{column.name: getattr(thread, column.name) for column in _COLUMNS} for thread in made]
    insert_many(connection, threads, rows, or_ignore)


def save(connection: Connection, changed: Sequence[Thread]) -> None:
    """Write how threads stand now, which this transaction has locked. Who answered when is not touched."""
    names = ("state", "severity", "chain", "step", "silenced", "due_s", "deadline_s", "told_s")
    if changed:
        rows = [{"key": one.incident_id} | {f"new_{name}": getattr(one, name) for name in names} for one in changed]
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        connection.execute(update(threads).where(threads.c.incident_id == bindparam("key")).values(values), rows)


def due(connection: Connection, now_s: float, limit: int) -> list[str]:
    """Incidents whose thread a dispatcher has to look at now, the longest due first."""
    chosen = select(threads.c.incident_id).where(threads.c.due_s <= now_s).order_by(threads.c.due_s).limit(limit)
    return list(connection.scalars(chosen))


def next_due_s(connection: Connection) -> float | None:
    """When a dispatcher has to look at a thread next; None: at none."""
    found: float | None = connection.scalar(select(func.min(threads.c.due_s)))
    return found


def unreached(connection: Connection, before_s: float, limit: int) -> list[str]:
    """Incidents that were to be told before then, and no channel has a receipt; none that an alarm was raised for."""
    chosen = (
        select(threads.c.incident_id)
        .where(
            threads.c.sent_s.is_(None),
            threads.c.alarmed_s.is_(None),
            threads.c.told_s <= before_s,
            threads.c.acknowledged_s.is_(None),
        )
        .order_by(threads.c.told_s)
        .limit(limit)
    )
    return list(connection.scalars(chosen))


def alarmed(connection: Connection, incident_ids: Sequence[str], now_s: float) -> None:
    """An alarm is raised because these reached nobody."""
    connection.execute(update(threads).where(threads.c.incident_id.in_(incident_ids)).values(alarmed_s=now_s))


def change(connection: Connection, incident_id: str, **values: Any) -> None:
    """Write some columns of a thread that this transaction has locked."""
    connection.execute(update(threads).where(threads.c.incident_id == incident_id).values(**values))


def log(
    connection: Connection,
    incident_id: str,
    action: str,
    *,
    before: str,
    after: str,
    who: str,
    now_s: float,
    note: str = "",
) -> None:
    """Add one line to what happened."""
    connection.execute(
        insert(thread_log).values(
            incident_id=incident_id, at_s=now_s, who=who, action=action, from_state=before, to_state=after, note=note
        )
    )


def history(connection: Connection, incident_id: str) -> list[dict[str, Any]]:
    """What happened to the thread, oldest first: `at_s, who, action, from_state, to_state, note`."""
    rows = connection.execute(
        select(thread_log).where(thread_log.c.incident_id == incident_id).order_by(thread_log.c.log_id)
    )
    return [dict(row._mapping) for row in rows]


def unanswered(connection: Connection, limit: int = 200) -> list[dict[str, Any]]:
    """Threads that nobody closed, gravest first, then newest: the thread's columns with the incident's `camera,
    camera_name, kind, rule, zone, opened_s, closed_s` (as `incident_closed_s`), `drill` and `evidence`."""
    incident = (
        *(incidents.c[name] for name in ("camera", "camera_name", "kind", "rule", "zone", "opened_s", "drill")),
        incidents.c.closed_s.label("incident_closed_s"),
        incidents.c.evidence,
    )
    rows = connection.execute(
        select(*_COLUMNS, *incident)
        .join(incidents, incidents.c.incident_id == threads.c.incident_id)
        .where(threads.c.closed_s.is_(None))
        .order_by(threads.c.severity, threads.c.created_s.desc())
        .limit(limit)
    )
    return [dict(row._mapping) for row in rows]


def incident_of(connection: Connection, reference: str) -> dict[str, Any]:
    """The incident (as a row) that an incident's id, its beginning, or an alert's id means.

    Raises: BadInput: none does, or several.
    """
    found = connection.execute(select(incidents).where(incidents.c.incident_id == reference)).first()
    if found is None:
        of_alert = select(alerts.c.incident_id).where(alerts.c.alert_id == reference)
        found = connection.execute(select(incidents).where(incidents.c.incident_id.in_(of_alert))).first()
    if found is None and reference:
        begins = incidents.c.incident_id.startswith(reference, autoescape=True)
        rows = connection.execute(select(incidents).where(begins).limit(2)).all()
        if len(rows) > 1:
            raise BadInput(f"several incidents begin with {reference!r}: give more of the id")
        found = rows[0] if rows else None
    if found is None:
        raise BadInput(f"no incident or alert has the id {reference!r}: `gatewatch incidents list` shows them")
    return dict(found._mapping)


def alerts_of(connection: Connection, incident_id: str) -> dict[str, str]:
    """The alerts that tell of an incident of record: their ids, with the recipient of each."""
    told = or_(alerts.c.purpose == "incident", alerts.c.purpose.startswith("step-"))
    rows = connection.execute(
        select(alerts.c.alert_id, alerts.c.recipient)
        .where(alerts.c.incident_id == incident_id, told)
        .order_by(alerts.c.created_s)
    )
    return {row.alert_id: row.recipient for row in rows}


def first_sent_s(connection: Connection, incident_id: str) -> float | None:
    """When the first message about an incident had its receipt."""
    found: float | None = connection.scalar(
        select(func.min(alerts.c.sent_s)).where(alerts.c.incident_id == incident_id)
    )
    return found


def add_verdict(connection: Connection, incident_id: str, verdict: str, *, who: str, now_s: float, note: str) -> None:
    """Add a verdict; the newest is the incident's, all of them stay."""
    connection.execute(
        insert(verdicts).values(incident_id=incident_id, verdict=verdict, at_s=now_s, who=who, note=note)
    )
    connection.execute(update(incidents).where(incidents.c.incident_id == incident_id).values(verdict=verdict))


def end_incident(connection: Connection, body: dict[str, Any], *, revision: int, now_s: float, reason: str) -> None:
    """An incident that no camera watches ends when a person says so. `body` is the envelope that tells of its end."""
    incident_id = body["subject"]
    connection.execute(
        update(incidents)
        .where(incidents.c.incident_id == incident_id, incidents.c.revision < revision)
        .values(revision=revision, phase="closed", closed_s=now_s, updated_s=now_s, close_reason=reason)
    )
    add_event(connection, body, now_s)


def newest_event(connection: Connection, incident_id: str) -> dict[str, Any]:
    """The envelope of the incident's newest revision."""
    body = connection.scalar(
        select(incident_events.c.body)
        .where(incident_events.c.incident_id == incident_id, incident_events.c.type.startswith("incident."))
        .order_by(incident_events.c.revision.desc())
        .limit(1)
    )
    assert isinstance(body, dict)  # an incident of record came with an event
    return body
