"""Writing incidents: one row each, moved forward by revision. A redelivery or an older revision changes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Insert, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from pipelines.events.envelope import EnvelopeError, Event
from pipelines.store.many import insert_many, or_ignore
from pipelines.store.schema import alerts, incident_events, incidents

_PHASES: Final = ("warned", "opened", "updated", "closed")
#: As the columns are.
_LONGEST: Final = {"incident_id": 64, "camera": 64, "kind": 64}
#: In one order for all, so that two transactions do not wait for each other.
_LOCK: Final = text(
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(id, 0) AS key"
    " FROM unnest(CAST(:ids AS text[])) AS id ORDER BY key) AS keys"
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What one event says, as far as the store and the routes ask. `of_record`: it concerns an incident that opened."""

    event: Event
    incident_id: str
    revision: int
    phase: str
    camera: str
    kind: str
    rule: str
    zone: str
    severity: int
    time_s: float
    opened_s: float | None
    drill: bool
    test: bool

    @property
    def of_record(self) -> bool:
        return self.opened_s is not None and not self.test


@dataclass(frozen=True, slots=True)
class Known:
    """What the store already had of the incident: nothing (revision -1), or its newest revision and its alerts."""

    revision: int = -1
    severity: int | None = None
    alerts: frozenset[tuple[str, str]] = frozenset()  # (recipient, purpose)


@dataclass(frozen=True, slots=True)
class Change:
    """One event that told something new."""

    notice: Notice
    known: Known


def notice_of(event: Event) -> Notice:
    """Read an event. Raises EnvelopeError when it cannot be stored: that message is dead at once, trying again is no use."""
    data = event.data
    try:
        notice = Notice(
            event=event,
            incident_id=_text(data, "incident_id"),
            revision=_whole(data, "revision", 0, 2**31 - 1),
            phase=_text(data, "phase"),
            camera=_text(data, "camera"),
            kind=_text(data, "kind"),
            rule=_words(data, "rule"),
            zone=_words(data, "zone"),
            severity=_whole(data, "severity", 1, 4),
            time_s=_number(data, "time_s"),
            opened_s=None if data.get("opened_s") is None else _number(data, "opened_s"),
            drill=data.get("drill") is True,
            test=event.type == "alert.test",
        )
    except KeyError as error:
        raise EnvelopeError(f"data has no {error}") from error
    if event.type not in ("alert.test", f"incident.{notice.phase}"):
        raise EnvelopeError(f"type {event.type!r} does not fit phase {notice.phase!r}")
    if notice.phase not in _PHASES:
        raise EnvelopeError(f"phase {notice.phase!r}: expected one of {', '.join(_PHASES)}")
    if event.id != f"{notice.incident_id}:{notice.revision}":
        raise EnvelopeError(f"id {event.id!r} is not incident_id:revision")
    if not isinstance(data.get("evidence", {}), dict) or not isinstance(data.get("pictures", []), list):
        raise EnvelopeError("evidence is no object, or pictures no list")
    if not isinstance(data.get("clock"), dict | None):
        raise EnvelopeError("clock is no object")
    if notice.of_record:
        _incident_row(notice, 0.0)  # every field of the row is judged here, so that storing a batch cannot fail on one
    return notice


def apply(connection: Connection, notices: Sequence[Notice], now_s: float) -> list[Change]:
    """Store a batch, in the caller's transaction; returns what was new, in order, with what was known before each.

    Two notices of one incident may stand in the batch; an older revision than the store's is kept as an event but
    changes nothing and is not returned.
    """
    ids = sorted({notice.incident_id for notice in notices})
    lock(connection, ids)
    known = _known(connection, ids)
    changes: list[Change] = []
    newest: dict[str, Notice] = {}
    for notice in notices:
        before = known.get(notice.incident_id, Known())
        if notice.revision <= before.revision:
            continue
        changes.append(Change(notice, before))
        known[notice.incident_id] = Known(notice.revision, notice.severity, before.alerts)
        if notice.of_record:
            newest[notice.incident_id] = notice
    events = {notice.event.id: _event_row(notice, now_s) for notice in notices}
    insert_many(connection, incident_events, list(events.values()), or_ignore)
    insert_many(connection, incidents, [_incident_row(notice, now_s) for notice in newest.values()], _or_newer)
    return changes


def lock(connection: Connection, incident_ids: Sequence[str]) -> None:
    """Until the transaction ends no other one decides about these incidents: what it knows of them stays true, and their
    deliveries are numbered in the order in which they were decided. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"ids": list(incident_ids)})


def add_event(connection: Connection, body: Mapping[str, Any], now_s: float) -> None:
    """Keep an envelope that Gatewatch made itself about an incident (an escalation, a digest): what deliveries tell."""
    row = {
        "event_id": body["id"],
        "incident_id": body["subject"],
        "revision": body["data"]["revision"],
        "type": body["type"],
        "time_s": now_s,
        "received_s": now_s,
        "body": dict(body),
    }
    insert_many(connection, incident_events, [row], or_ignore)


def _or_newer(dialect: Dialect, table: Table) -> Insert:
    statement = sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)
    kept = {"incident_id", "received_s", "verdict", "stills"}
    return statement.on_conflict_do_update(
        index_elements=[table.c.incident_id],
        set_={column.name: statement.excluded[column.name] for column in table.c if column.name not in kept},
        where=table.c.revision < statement.excluded.revision,
    )


def _known(connection: Connection, ids: Sequence[str]) -> dict[str, Known]:
    # From the events, not only from `incidents`: warnings are known too, though no incident of record.
    newest = (
        select(incident_events.c.incident_id, func.max(incident_events.c.revision))
        .where(incident_events.c.incident_id.in_(ids))
        .group_by(incident_events.c.incident_id)
    )
    of_record = select(incidents.c.incident_id, incidents.c.severity).where(incidents.c.incident_id.in_(ids))
    revisions = {row[0]: row[1] for row in connection.execute(newest)}
    severities = {row[0]: row[1] for row in connection.execute(of_record)}
    found = {name: Known(revision, severities.get(name)) for name, revision in revisions.items()}
    if found:
        made: dict[str, set[tuple[str, str]]] = {}
        columns = (alerts.c.incident_id, alerts.c.recipient, alerts.c.purpose)
        for incident_id, recipient, purpose in connection.execute(
            select(*columns).where(alerts.c.incident_id.in_(ids))
        ):
            made.setdefault(incident_id, set()).add((recipient, purpose))
        for incident_id, pairs in made.items():
            before = found.get(incident_id, Known())
            found[incident_id] = Known(before.revision, before.severity, frozenset(pairs))
    return found


def _event_row(notice: Notice, now_s: float) -> dict[str, Any]:
    event = notice.event
    return {
        "event_id": event.id,
        "incident_id": notice.incident_id,
        "revision": notice.revision,
        "type": event.type,
        "time_s": notice.time_s,
        "received_s": now_s,
        "body": event.to_dict(),
    }


def _incident_row(notice: Notice, now_s: float) -> dict[str, Any]:
    data = notice.event.data
    return {
        "incident_id": notice.incident_id,
        "revision": notice.revision,
        "phase": notice.phase,
        "camera": notice.camera,
        "camera_name": _words(data, "camera_name", notice.camera),
        "kind": notice.kind,
        "rule": notice.rule,
        "zone": notice.zone,
        "severity": notice.severity,
        "score": _number(data, "score"),
        "first_seen_s": _number(data, "first_seen_s"),
        "opened_s": notice.opened_s,
        "updated_s": notice.time_s,
        "closed_s": None if data.get("closed_s") is None else _number(data, "closed_s"),
        "close_reason": None if data.get("close_reason") is None else _words(data, "close_reason"),
        "config_version": _storable("config_version", notice.event.config_version),
        "drill": notice.drill,
        "box_norm": data.get("box_norm"),
        "evidence": data.get("evidence", {}),
        "pictures": data.get("pictures", []),
        "received_s": now_s,
        "clock": data.get("clock"),
        "verdict": None,
    }


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str) or not value:
        raise EnvelopeError(f"{name} is no text: {value!r:.80}")
    if len(value) > _LONGEST.get(name, len(value)):
        raise EnvelopeError(f"{name} has {len(value)} characters, at most {_LONGEST[name]} are stored: {value!r:.80}")
    return _storable(name, value)


def _words(data: Mapping[str, Any], name: str, otherwise: str = "") -> str:
    return _storable(name, str(data.get(name, otherwise)))


def _storable(name: str, value: str) -> str:
    """No database of ours takes half of a surrogate pair, and PostgreSQL no NUL."""
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise EnvelopeError(f"{name} holds a character that cannot be stored: {value!r:.80}")
    return value


def _whole(data: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise EnvelopeError(f"{name} is no whole number in {least}..{most}: {value!r:.80}")
    return value


def _number(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise EnvelopeError(f"{name} is no number: {value!r:.80}")
    return float(value)
