"""Holds: nothing inside one is ever deleted. And marks: footage of incidents, kept longer."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import BadInput
from pipelines.recording.coverage import Span
from pipelines.recording.index import DELETING, Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import rfc3339


@dataclass(frozen=True, slots=True)
class Hold:
    """In force from `created_ms` until it is released or has expired. Times are UTC milliseconds."""

    hold_id: str
    cameras: tuple[str, ...]
    span: Span
    reason: str
    owner: str
    created_by: str
    created_ms: int
    expires_ms: int | None
    released_ms: int | None = None
    released_by: str | None = None
    release_reason: str | None = None

    def in_force(self, now_ms: int) -> bool:
        return self.released_ms is None and (self.expires_ms is None or self.expires_ms > now_ms)

    def to_json(self, now_ms: int) -> dict[str, Any]:
        return {
            "hold_id": self.hold_id,
            "cameras": list(self.cameras),
            "from": rfc3339(self.span.from_ms),
            "to": rfc3339(self.span.to_ms),
            "reason": self.reason,
            "owner": self.owner,
            "created_by": self.created_by,
            "created": rfc3339(self.created_ms),
            "expires": None if self.expires_ms is None else rfc3339(self.expires_ms),
            "released": None if self.released_ms is None else rfc3339(self.released_ms),
            "released_by": self.released_by,
            "release_reason": self.release_reason,
            "in_force": self.in_force(now_ms),
        }


@dataclass(frozen=True, slots=True)
class Placed:
    """A new hold. `too_late` counts segments in its span whose deletion had already been decided."""

    hold: Hold
    too_late: int


class Holds:
    """`index` should be opened `durable=True`: a hold that was confirmed survives a power cut."""

    def __init__(self, index: Index, audit: Journal) -> None:
        self._index = index
        self._audit = audit

    def place(
        self,
        cameras: Sequence[str],
        span: Span,
        *,
        reason: str,
        owner: str,
        actor: str,
        now_ms: int,
        expires_ms: int | None = None,
    ) -> Placed:
        """Raises BadInput: no camera, an empty span, no reason or owner, an expiry in the past."""
        if not cameras:
            raise BadInput("a hold needs at least one camera")
        if span.to_ms <= span.from_ms:
            raise BadInput("a hold must end after it begins")
        if not reason.strip() or not owner.strip():
            raise BadInput("a hold needs a reason and an owner")
        if expires_ms is not None and expires_ms <= now_ms:
            raise BadInput("a hold that has expired already holds nothing")
        names = tuple(dict.fromkeys(cameras))
        hold = Hold(uuid.uuid4().hex[:12], names, span, reason, owner, actor, now_ms, expires_ms)
        too_late = 0
        with self._index.transaction() as cursor:
            insert(cursor, hold)
            for camera in names:
                (count,) = cursor.execute(
                    "SELECT count(*) FROM segments WHERE state = ? AND camera = ? AND start_ms < ? AND end_ms > ?",
                    (DELETING, camera, span.to_ms, span.from_ms),
                ).fetchone()
                too_late += int(count)
        self._audit.append(at_ms=now_ms, action="hold", actor=actor, reason=reason, data=hold.to_json(now_ms))
        return Placed(hold, too_late)

    def release(self, hold_id: str, *, reason: str, actor: str, now_ms: int) -> Hold:
        """Raises BadInput: no such hold, released already, no reason."""
        if not reason.strip():
            raise BadInput("releasing a hold needs a reason")
        found = [hold for hold in self.all() if hold.hold_id == hold_id]
        if not found:
            raise BadInput(f"there is no hold {hold_id}; `gatewatch footage hold --list` shows them")
        if found[0].released_ms is not None:
            raise BadInput(f"hold {hold_id} was released already, by {found[0].released_by}")
        # Into the audit first: a release that nobody can find afterwards is worse than one that did not happen.
        self._audit.append(at_ms=now_ms, action="release", actor=actor, reason=reason, data={"hold_id": hold_id})
        with self._index.transaction() as cursor:
            cursor.execute(
                "UPDATE holds SET released_ms = ?, released_by = ?, release_reason = ? WHERE hold_id = ?",
                (now_ms, actor, reason, hold_id),
            )
        return next(hold for hold in self.all() if hold.hold_id == hold_id)

    def all(self) -> list[Hold]:
        """Every hold ever made, oldest first."""
        return read(self._index)


def insert(cursor: sqlite3.Connection, hold: Hold) -> None:
    """Inside a transaction."""
    cursor.execute(
        "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            hold.hold_id,
            hold.reason,
            hold.owner,
            hold.created_by,
            hold.created_ms,
            hold.expires_ms,
            hold.released_ms,
            hold.released_by,
            hold.release_reason,
        ),
    )
    cursor.executemany(
        "INSERT INTO hold_spans VALUES (?, ?, ?, ?)",
        [(hold.hold_id, camera, hold.span.from_ms, hold.span.to_ms) for camera in hold.cameras],
    )


def read(index: Index) -> list[Hold]:
    """Every hold ever made, oldest first."""
    spans: dict[str, list[tuple[str, int, int]]] = {}
    for hold_id, camera, from_ms, to_ms in index.read("SELECT hold_id, camera, from_ms, to_ms FROM hold_spans"):
        spans.setdefault(hold_id, []).append((camera, from_ms, to_ms))
    rows = index.read(
        "SELECT hold_id, reason, owner, created_by, created_ms, expires_ms, released_ms, released_by, release_reason"
        " FROM holds ORDER BY created_ms, hold_id"
    ).fetchall()
    return [
        Hold(
            row[0],
            tuple(camera for camera, _, _ in spans[row[0]]),
            Span(*spans[row[0]][0][1:]),
            row[1],
            row[2],
            row[3],
            row[4],
            row[5],
            row[6],
            row[7],
            row[8],
        )
        for row in rows
    ]


def held(cursor: sqlite3.Connection, camera: str | None, span: Span, now_ms: int) -> bool:
    """Whether a hold in force touches `span`: asked again inside the transaction that marks a row for deletion. `camera`
    None: whose it is is not known, so any camera's hold counts."""
    which = "" if camera is None else "camera = ?4 AND "
    return (
        cursor.execute(
            f"SELECT 1 FROM hold_spans JOIN holds USING (hold_id) WHERE {which}from_ms < ?1 AND to_ms > ?2"
            " AND released_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?3) LIMIT 1",
            (span.to_ms, span.from_ms, now_ms, *([] if camera is None else [camera])),
        ).fetchone()
        is not None
    )


def spans_in_force(index: Index, now_ms: int) -> dict[str, list[Span]]:
    """What is held now, by camera."""
    found: dict[str, list[Span]] = {}
    for hold in read(index):
        if hold.in_force(now_ms):
            for camera in hold.cameras:
                found.setdefault(camera, []).append(hold.span)
    return found


def mark_incident(
    index: Index, incident_id: str, camera: str, span: Span, records: Journal | None = None, now_ms: int = 0
) -> None:
    """The footage in `span` belongs to an incident: it is kept for `keep_incidents`. Again with the same id: wider.

    With `records` a mark that is new or wider also goes into that journal, from which a lost index has it again.
    """
    with index.transaction() as cursor:
        wider = cursor.execute(
            "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT (incident_id) DO UPDATE SET"
            " from_ms = min(from_ms, excluded.from_ms), to_ms = max(to_ms, excluded.to_ms)"
            " WHERE excluded.from_ms < from_ms OR excluded.to_ms > to_ms RETURNING from_ms, to_ms",
            (incident_id, camera, span.from_ms, span.to_ms),
        ).fetchone()
        if wider is not None and records is not None:
            data = {"incident_id": incident_id, "camera": camera, "from_ms": wider[0], "to_ms": wider[1]}
            records.append(at_ms=now_ms, action="mark", actor="recorder", reason="incident", data=data)


def marks(index: Index) -> dict[str, list[Span]]:
    """Spans of incidents by camera, sorted."""
    found: dict[str, list[Span]] = {}
    for camera, from_ms, to_ms in index.read("SELECT camera, from_ms, to_ms FROM marks ORDER BY camera, from_ms"):
        found.setdefault(camera, []).append(Span(from_ms, to_ms))
    return found
