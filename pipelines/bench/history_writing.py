"""What the history costs whoever writes incidents: batches stored with its triggers and indexes, and without."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from pipelines.events.envelope import incident_event
from pipelines.store import incidents, outbox, receipts, threads
from pipelines.store.database import Database
from pipelines.store.incidents import Notice, notice_of
from pipelines.store.outbox import NewAlert, NewDelivery
from pipelines.store.receipts import Result
from pipelines.store.threads import Thread
from vision.incident import Incident, Phase, Quantity

_BATCH: Final = 128
_BATCHES: Final = 8
_ROUNDS: Final = 6
_NOW_S: Final = 1_790_000_100.0
_TABLES: Final = (
    "incidents",
    "threads",
    "incident_events",
    "stale_days",
    "places",
    "deliveries",
    "alerts",
    "alert_transitions",
    "attempts",
)
_INDEXES: Final = ("incidents_by_place", "incidents_by_verdict", "incidents_open")


def writing(database: Database, said: Callable[[str], None]) -> dict[str, Any]:
    """Messages a second stored, leased and written down as sent, as dispatchers do, with the history and without, in turns on the
    same store, the best of each; the store is empty again afterwards."""
    said("writing")
    parts = _parts(database)
    best = {True: 0.0, False: 0.0}
    for number in range(2 * _ROUNDS):
        history = number % 2 == 0
        _switch(database, parts, history)
        best[history] = max(best[history], _round(database, number))
        _emptied(database)
    _switch(database, parts, True)
    return {
        "per_s": round(best[True]),
        "without_history_per_s": round(best[False]),
        "slower_percent": round(100 * (1 - best[True] / best[False]), 1),
    }


def _round(database: Database, number: int) -> float:
    """Openings and ends of incidents, as a dispatcher stores them."""
    batches = []
    for phase, revision in ((Phase.OPENED, 1), (Phase.CLOSED, 2)):
        for batch in range(_BATCHES):
            names = [f"{number}-{batch}-{place}" for place in range(_BATCH)]
            batches.append(
                [notice_of(incident_event(_incident(name, revision, phase), "v", "Bench")) for name in names]
            )
    begin_s = time.perf_counter()
    for notices in batches:
        _stored(database, notices)
        with database.write() as connection:
            leased = outbox.claim(connection, "log", owner="bench", now_s=_NOW_S, lease_s=30.0, limit=_BATCH)
        with database.write() as connection:
            sent = [Result(one.delivery_id, one.alert_id, "sent", "written", _NOW_S, 0.01) for one in leased]
            receipts.finish(connection, sent, "bench", _NOW_S)
    return 2 * _BATCHES * _BATCH / (time.perf_counter() - begin_s)


def _stored(database: Database, notices: list[Notice]) -> None:
    """A batch, with a thread, an alert and a delivery for each."""
    made, told = [], []
    for notice in notices:
        name = notice.incident_id
        made.append(NewAlert(f"a-{name}", name, "room", "incident", notice.severity, False, notice.time_s))
        told.append(
            NewDelivery(f"a-{name}", name, "room", "log", f"{name}:{notice.revision}", notice.event.id, notice.time_s)
        )
    with database.write() as connection:
        incidents.apply(connection, notices, notices[0].time_s)
        threads.put(connection, [Thread(one.incident_id, "pending", 2, created_s=one.time_s) for one in notices])
        outbox.put(connection, made, told, _NOW_S)


def _incident(name: str, revision: int, phase: Phase) -> Incident:
    at_s = 1_790_000_000.0
    return Incident(
        incident_id=f"bench-{name}",
        camera_id=f"gate-{len(name)}",
        kind="illegal_parking",
        rule_id="illegal_parking:kerb",
        zone_id="kerb",
        phase=phase,
        revision=revision,
        severity=2,
        score=0.8,
        first_seen_s=at_s,
        opened_s=at_s,
        closed_s=at_s + 60 if phase is Phase.CLOSED else None,
        close_reason="left" if phase is Phase.CLOSED else None,
        time_s=at_s + revision,
        box_norm=(0.1, 0.2, 0.3, 0.4),
        track_ids=(1,),
        evidence={"stopped": Quantity(180.0, "s")},
    )


def _parts(database: Database) -> dict[str, str]:
    """Name -> the SQL that makes it."""
    with database.read() as connection:
        if database.is_sqlite:
            rows = connection.exec_driver_sql(
                "SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL"
            ).all()
            return {
                name: sql
                for name, sql in rows
                if name.startswith(("trigger history_", "trigger places_")) or name.split()[1] in _INDEXES
            }
        rows = connection.exec_driver_sql("SELECT 'index ' || indexname, indexdef FROM pg_indexes").all()
        return {name: sql for name, sql in rows if name.split()[1] in _INDEXES}


def _switch(database: Database, parts: dict[str, str], on: bool) -> None:
    with database.write() as connection:
        for name in parts:
            connection.exec_driver_sql(f"DROP {name.split()[0]} IF EXISTS {name.split()[1]}")
        if on:
            for sql in parts.values():
                connection.exec_driver_sql(sql)
        if not database.is_sqlite:
            verb = "ENABLE" if on else "DISABLE"
            for table in ("incidents", "threads", "incident_events"):
                connection.exec_driver_sql(f"ALTER TABLE {table} {verb} TRIGGER USER")


def _emptied(database: Database) -> None:
    with database.write() as connection:
        for table in _TABLES:
            connection.exec_driver_sql(f"DELETE FROM {table}")
