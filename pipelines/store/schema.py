"""The tables of the record. Times are UTC seconds since the Unix epoch (`_s`); local time exists only on screen.

This is what the newest migration makes; a test compares the two.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pipelines.store import handover_schema

#: The tables of people and of handovers are in it too.
metadata: Final = handover_schema.handovers.metadata

#: SQLite counts rows only in a column that is exactly INTEGER.
_RowId = BigInteger().with_variant(Integer(), "sqlite")

#: One row per incident, at its newest revision. A warning alone is no incident of record and has no row here.
incidents: Final = Table(
    "incidents",
    metadata,
    Column("incident_id", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("camera", String(64), nullable=False),
    Column("camera_name", Text, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("rule", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("score", Double, nullable=False),
    Column("first_seen_s", Double, nullable=False),
    Column("opened_s", Double, nullable=False),
    Column("updated_s", Double, nullable=False),
    Column("closed_s", Double),
    Column("close_reason", Text),
    Column("config_version", Text, nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("box_norm", JSON),
    Column("evidence", JSON, nullable=False),
    Column("pictures", JSON, nullable=False),
    Column("received_s", Double, nullable=False),
    # How far the clocks could be trusted: the camera's offset, the host's state, evidence grade or why not.
    Column("clock", JSON),
    # The newest verdict, kept here so that a list can filter by it; all of them are in `verdicts`.
    Column("verdict", String(16)),
    # Of each picture, what the recorded main stream shows of its moment, or why it shows nothing: see `pipelines.store.stills`.
    Column("stills", JSON),
    Index("incidents_by_time", "opened_s", "incident_id"),
    # Of each place (camera, rule, level) by time: see `pipelines.store.listing`. With what else is often asked of a row.
    Index("incidents_by_place", "camera", "rule", "severity", "opened_s", "incident_id", "verdict", "drill"),
    Index(
        "incidents_by_verdict",
        "verdict",
        "opened_s",
        "incident_id",
        sqlite_where=text("verdict IS NOT NULL"),
        postgresql_where=text("verdict IS NOT NULL"),
    ),
    Index(
        "incidents_open",
        "opened_s",
        "incident_id",
        sqlite_where=text("closed_s IS NULL"),
        postgresql_where=text("closed_s IS NULL"),
    ),
)

# For the beginning of an id; SQLite needs no help with it.
Index(
    "incidents_by_beginning",
    incidents.c.incident_id,
    postgresql_ops={"incident_id": "varchar_pattern_ops"},
).ddl_if(dialect="postgresql")

#: What many incidents have in common, each once, written by the database's triggers with the incident. Nothing is taken away.
places: Final = Table(
    "places",
    metadata,
    Column("camera", String(64), primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("severity", Integer, primary_key=True, autoincrement=False),
    Column("zone", Text, primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("camera_name", Text, primary_key=True),
)

#: Every message about an incident, warnings included, as it came.
incident_events: Final = Table(
    "incident_events",
    metadata,
    Column("event_id", String(128), primary_key=True),
    Column("incident_id", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("type", String(64), nullable=False),
    Column("time_s", Double, nullable=False),
    Column("received_s", Double, nullable=False),
    Column("body", JSON, nullable=False),
    Index("incident_events_by_incident", "incident_id", "revision"),
)

#: One incident to one recipient for one purpose, made once.
alerts: Final = Table(
    "alerts",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("incident_id", String(64), nullable=False),
    Column("recipient", String(128), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("test", Boolean, nullable=False),
    Column("event_s", Double, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("sent_s", Double),
    Column("acknowledged_s", Double),
    Column("closed_s", Double),
    # In a storm: empty while it waits for a digest, then that digest's alert.
    Column("digest", String(36)),
    UniqueConstraint("incident_id", "recipient", "purpose", name="alerts_made_once"),
    Index(
        "alerts_in_digest",
        "digest",
        "recipient",
        "created_s",
        sqlite_where=text("digest IS NOT NULL"),
        postgresql_where=text("digest IS NOT NULL"),
    ),
    Index("alerts_by_time", "created_s", "alert_id"),
    Index("alerts_by_state", "state", "created_s", "alert_id"),
)

#: Who moved an alert from one state to another, and when.
alert_transitions: Final = Table(
    "alert_transitions",
    metadata,
    Column("transition_id", _RowId, primary_key=True, autoincrement=True),
    Column("alert_id", String(36), nullable=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("at_s", Double, nullable=False),
    Column("who", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index("alert_transitions_by_alert", "alert_id", "transition_id"),
)

#: One row per incident of record that somebody is told of (or would be): where the answer to it stands. `deadline_s` is by
#: when a person must answer the step that was told last, `due_s` when a dispatcher has to look at it again.
threads: Final = Table(
    "threads",
    metadata,
    Column("incident_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("chain", String(64), nullable=False),
    # 0 is the first step of the chain; -1: nobody was told yet, or nobody is to be (`silenced` says why).
    Column("step", Integer, nullable=False),
    Column("silenced", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("due_s", Double),
    Column("deadline_s", Double),
    Column("sent_s", Double),
    Column("acknowledged_s", Double),
    Column("acknowledged_by", String(128)),
    Column("on_site_s", Double),
    Column("on_site_by", String(128)),
    Column("closed_s", Double),
    Column("closed_by", String(128)),
    # When an alarm was raised because it had reached nobody.
    Column("alarmed_s", Double),
    # When the first step was told.
    Column("told_s", Double),
    Index("threads_due", "due_s", sqlite_where=text("due_s IS NOT NULL"), postgresql_where=text("due_s IS NOT NULL")),
    Index(
        "threads_unsent",
        "told_s",
        sqlite_where=text("sent_s IS NULL AND alarmed_s IS NULL"),
        postgresql_where=text("sent_s IS NULL AND alarmed_s IS NULL"),
    ),
    Index(
        "threads_open",
        "severity",
        "created_s",
        sqlite_where=text("closed_s IS NULL"),
        postgresql_where=text("closed_s IS NULL"),
    ),
)

#: What happened to a thread, in order: answers and notes of people, steps of the chain. `who` is `gatewatch` for the latter.
thread_log: Final = Table(
    "thread_log",
    metadata,
    Column("log_id", _RowId, primary_key=True, autoincrement=True),
    Column("incident_id", String(64), nullable=False),
    Column("at_s", Double, nullable=False),
    Column("who", String(128), nullable=False),
    Column("action", String(16), nullable=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Index("thread_log_by_incident", "incident_id", "log_id"),
)

#: A rule that tells nobody for a while (level 1 is told all the same). Rows stay when the time is over.
snoozes: Final = Table(
    "snoozes",
    metadata,
    Column("snooze_id", _RowId, primary_key=True, autoincrement=True),
    Column("camera", String(64), nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", String(128), nullable=False),
    Column("from_s", Double, nullable=False),
    Column("until_s", Double, nullable=False),
    # Ended by hand before its time.
    Column("ended_s", Double),
    Column("ended_by", String(128)),
    Index("snoozes_by_end", "until_s"),
)

#: The outbox: what is to be sent through one channel. Leased by one sender at a time; `ready` until sent or dead.
deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("delivery_id", _RowId, primary_key=True, autoincrement=True),
    Column("alert_id", String(36), nullable=False),
    Column("incident_id", String(64), nullable=False),
    Column("recipient", String(128), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("idempotency_key", String(80), nullable=False),
    Column("event_s", Double, nullable=False),
    # What it tells: the body is the event's, in `incident_events`.
    Column("event_id", String(128), nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_s", Double, nullable=False),
    Column("lease_owner", String(128)),
    Column("lease_until_s", Double, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("finished_s", Double),
    Column("reason", Text, nullable=False),
    UniqueConstraint("idempotency_key", "channel", name="deliveries_made_once"),
    # Only what still waits: these two stay small however long the history grows.
    Index(
        "deliveries_waiting",
        "channel",
        "next_attempt_s",
        sqlite_where=text("state = 'ready'"),
        postgresql_where=text("state = 'ready'"),
    ),
    Index(
        "deliveries_in_order",
        "incident_id",
        "channel",
        "delivery_id",
        sqlite_where=text("state = 'ready'"),
        postgresql_where=text("state = 'ready'"),
    ),
    Index("deliveries_by_alert", "alert_id", "delivery_id"),
    Index(
        "deliveries_dead", "delivery_id", sqlite_where=text("state = 'dead'"), postgresql_where=text("state = 'dead'")
    ),
    sqlite_autoincrement=True,
)

#: Each try of a delivery, with its delay: the receipts.
attempts: Final = Table(
    "attempts",
    metadata,
    Column("attempt_id", _RowId, primary_key=True, autoincrement=True),
    Column("delivery_id", _RowId, nullable=False),
    Column("started_s", Double, nullable=False),
    Column("duration_s", Double, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Index("attempts_by_delivery", "delivery_id", "attempt_id"),
)

verdicts: Final = Table(
    "verdicts",
    metadata,
    Column("verdict_id", _RowId, primary_key=True, autoincrement=True),
    Column("incident_id", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("at_s", Double, nullable=False),
    Column("who", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index("verdicts_by_incident", "incident_id", "verdict_id"),
)

#: Who did what: looked at footage, resent, silenced. Rows are added, never changed.
audit: Final = Table(
    "audit",
    metadata,
    Column("audit_id", _RowId, primary_key=True, autoincrement=True),
    Column("at_s", Double, nullable=False),
    Column("who", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("audit_by_time", "at_s", "audit_id"),
)

#: Incidents of a day (since 1970, UTC) in columns, as `pipelines.store.columns` writes them: made from the rows, never the
#: record itself.
history_days: Final = Table(
    "history_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("incidents", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: Days whose rows changed since, written by the database's triggers. `tx`: the transaction on PostgreSQL, 0 on SQLite.
stale_days: Final = Table(
    "stale_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("tx", BigInteger, primary_key=True, autoincrement=False),
)
