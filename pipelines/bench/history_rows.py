"""Millions of made-up incidents, by the database itself: the same ones at each run, in both databases."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipelines.store.database import Database

#: The end of the history, 2026-11-01 UTC, and its length.
END_S: Final = 1_793_491_200
DAYS: Final = 730
TERM_DAYS: Final = 150
CAMERAS: Final = 200
#: Messages are made for crowds of the last term only (they would be most of the disk), three each.
_CROWD_MESSAGES: Final = 3
_MULTIPLIERS: Final = (2654435761, 2246822519, 3266489917, 668265263, 374761393, 2860486313, 1500450271)
_PORTION: Final = 500_000


#: Triggers are off while rows are made.
_PLACES: Final = (
    "INSERT INTO places (camera, rule, severity, zone, kind, camera_name) "
    "SELECT DISTINCT camera, rule, severity, zone, kind, camera_name FROM incidents"
)


class _Words:
    """Arithmetic in one of the two dialects. `part(k)` is a number in [0, 1) that looks random; `n` is the row's number."""

    def __init__(self, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite

    def bits(self, k: int) -> str:
        product, modulus = f"(n * {_MULTIPLIERS[k]})", 2**32
        return f"({product} % {modulus})" if self._is_sqlite else f"mod({product}, {modulus})"

    def part(self, k: int) -> str:
        return f"({self.bits(k)} / 4294967296.0)"

    def whole(self, number: str) -> str:
        return f"CAST({number} AS INTEGER)" if self._is_sqlite else f"CAST(floor({number}) AS INTEGER)"

    def hexadecimal(self, number: str, digits: int) -> str:
        if self._is_sqlite:
            return f"printf('%0{digits}x', {number} % {16**digits})"
        return f"lpad(to_hex(mod({number}, {16**digits})), {digits}, '0')"

    def two(self, number: str) -> str:
        return f"printf('%03d', {number})" if self._is_sqlite else f"lpad(CAST({number} AS text), 3, '0')"

    def of(self, k: int, *shares: tuple[float, str]) -> str:
        """One of several values by their shares."""
        begin, cases = 0.0, []
        for share, value in shares[:-1]:
            begin += share
            cases.append(f"WHEN {self.part(k)} < {begin:.6f} THEN {value}")
        return f"CASE {' '.join(cases)} ELSE {shares[-1][1]} END"


def _statements(rows: int, is_sqlite: bool) -> tuple[str, str, str]:
    """INSERTs of incidents, threads and crowds' messages for numbers in [:first, :last)."""
    say = _Words(is_sqlite)
    per_day = rows / DAYS
    begin_s = END_S - DAYS * 86_400
    day = say.whole(f"n / {per_day!r}")
    share = f"(n / {per_day!r} - {day})"
    # UTC hours of a school in Asia/Shanghai: arrival, noon, dismissal, and the rest of the day.
    clock = (
        f"CASE WHEN {share} < 0.3 THEN {share} * 6000 WHEN {share} < 0.45 THEN 10800 + ({share} - 0.3) * 48000 "
        f"WHEN {share} < 0.8 THEN 28800 + ({share} - 0.45) * 15000 ELSE 36000 + ({share} - 0.8) * 252000 END"
    )
    opened = f"({begin_s} + 86400.0 * {day} + {clock})"
    camera = say.whole(f"{say.part(0)} * {CAMERAS}")
    # Each camera has three rules; one zone in fifty thousand incidents, to have a rare one.
    kind = say.of(1, (0.7, "'illegal_parking'"), (0.2, "'crowding'"), (0.1, "'possible_bullying'"))
    zone = (
        f"CASE WHEN {say.part(2)} < 0.00002 THEN 'fire-lane' WHEN {say.part(1)} < 0.7 THEN 'kerb' "
        f"WHEN {say.part(1)} < 0.9 THEN 'forecourt' ELSE 'gate' END"
    )
    severity = say.of(3, (0.0005, "1"), (0.3, "2"), (0.5, "3"), (0.2, "4"))
    verdict = say.of(
        4, (0.5, "NULL"), (0.38, "'true'"), (0.1, "'false'"), (0.0199, "'unsure'"), (0.0001, "'duplicate'")
    )
    name = "|| '-' ||".join(
        (
            say.hexadecimal(say.bits(5), 8),
            say.hexadecimal(say.bits(1), 4),
            say.hexadecimal(say.bits(2), 4),
            say.hexadecimal(say.bits(3), 4),
            say.hexadecimal("n", 12),
        )
    )
    numbers = (
        "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :last)"
        if is_sqlite
        else "WITH numbers(n) AS (SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint) - 1))"
    )
    made = (
        f"{numbers}, made AS (SELECT n, {name} AS id, {opened} AS opened, {camera} AS camera, {kind} AS kind, {zone} AS zone, "
        f"{severity} AS severity, {verdict} AS verdict, {say.part(5)} AS a, {say.part(6)} AS b, "
        f"(n < {rows - 40}) AS ended FROM numbers)"
    )
    lasts = "(60 + 600 * made.b)"
    evidence = '\'{"stopped": {"value": 194.5, "unit": "s"}, "limit": {"value": 180.0, "unit": "s"}}\''
    incidents = (
        "INSERT INTO incidents (incident_id, revision, phase, camera, camera_name, kind, rule, zone, severity, score, "
        "first_seen_s, opened_s, updated_s, closed_s, close_reason, config_version, drill, box_norm, evidence, pictures, "
        f"received_s, verdict) {made} SELECT id, 3, CASE WHEN ended THEN 'closed' ELSE 'opened' END, "
        f"'gate-' || {say.two('made.camera')}, '校门 ' || {say.two('made.camera')}, kind, kind || ':' || zone, zone, severity, "
        f"0.5 + a / 2, opened - 180, opened, opened + {lasts}, CASE WHEN ended THEN opened + {lasts} END, "
        "CASE WHEN ended THEN 'left' END, '7f3c1a2b9d', a < 0.001, '[0.1, 0.2, 0.3, 0.4]', "
        f'{evidence}, \'[{{"role": "limit", "path": "pictures/limit.jpg"}}]\', opened + 0.25, verdict FROM made'
    )
    threads = (
        "INSERT INTO threads (incident_id, state, severity, chain, step, silenced, created_s, sent_s, acknowledged_s, "
        f"acknowledged_by, on_site_s, on_site_by, closed_s, closed_by) {made} SELECT id, CASE WHEN a < 0.9 THEN 'closed' ELSE "
        "'expired' END, severity, 'default', 0, '', opened + 0.3, opened + 0.5, CASE WHEN a < 0.9 THEN opened + 3 + 60 * b / "
        "(1.02 - b) END, CASE WHEN a < 0.9 THEN 'guard' END, CASE WHEN a < 0.4 THEN opened + 60 + 400 * b END, "
        "CASE WHEN a < 0.4 THEN 'guard' END, CASE WHEN a < 0.9 THEN opened + 120 + 3000 * b END, "
        "CASE WHEN a < 0.9 THEN 'guard' END FROM made"
    )
    message = (
        '\'{"id": "x", "data": {"evidence": {"density": {"value": \' || CAST(1 + (number * 2.5 + 2 * made.a) AS TEXT) '
        '|| \', "unit": "people/m2"}}}}\''
    )
    if not is_sqlite:
        message = f"CAST({message} AS json)"
    events = (
        f"INSERT INTO incident_events (event_id, incident_id, revision, type, time_s, received_s, body) {made}, "
        "told(number) AS (SELECT 0 UNION ALL SELECT 1 UNION ALL SELECT 2) "
        "SELECT id || ':' || CAST(number AS TEXT), id, number, 'incident.updated', opened + 20 * number, "
        f"opened + 20 * number, {message} FROM made CROSS JOIN told WHERE kind = 'crowding' AND "
        f"opened >= {END_S - TERM_DAYS * 86_400}"
    )
    return incidents, threads, events


def fill(database: Database, path: Path | None, rows: int, said: Callable[[str], None]) -> None:
    """Fill an empty store. `path`: the file, if it is SQLite's."""
    statements = _statements(rows, database.is_sqlite)
    if path is not None:
        _fill_sqlite(path, statements, rows, said)
    else:
        _fill_postgresql(database, statements, rows, said)


def _portions(rows: int) -> list[tuple[int, int]]:
    return [(first, min(first + _PORTION, rows)) for first in range(0, rows, _PORTION)]


def _fill_sqlite(path: Path, statements: tuple[str, ...], rows: int, said: Callable[[str], None]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1500000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    # Indexes are made faster at the end, and each day's mark once.
    later = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name IN ('incidents', 'threads', "
        "'incident_events') AND type IN ('index', 'trigger')"
    ).fetchall()
    for kind, name, _ in later:
        connection.execute(f"DROP {kind} {name}")
    for first, last in _portions(rows):
        connection.execute("BEGIN")
        for statement in statements:
            connection.execute(statement, {"first": first, "last": last})
        connection.execute("COMMIT")
        said(f"{last:,} rows")
    for kind, name, sql in later:
        connection.execute(sql)
        said(f"{kind} {name}")
    connection.execute(
        "INSERT INTO stale_days (day, tx) SELECT DISTINCT CAST(opened_s / 86400 AS INTEGER), 0 FROM incidents"
    )
    connection.execute(_PLACES)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _fill_postgresql(database: Database, statements: tuple[str, ...], rows: int, said: Callable[[str], None]) -> None:
    with database.write() as connection:
        indexes = connection.exec_driver_sql(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ('incidents', "
            "'threads', 'incident_events')"
        ).all()
        for table in ("incidents", "threads", "incident_events"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for name, _ in indexes:
            if name.endswith("_pkey"):
                table = re.sub("_pkey$", "", name)
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            else:
                connection.exec_driver_sql(f"DROP INDEX {name}")
    for first, last in _portions(rows):
        with database.write() as connection:
            for statement in statements:
                connection.exec_driver_sql(
                    statement.replace(":first", str(first)).replace(":last", str(last)).replace("%", "%%")
                )
        said(f"{last:,} rows")
    with database.write() as connection:
        connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
        for name, definition in indexes:
            if name.endswith("_pkey"):
                key = definition[definition.rindex("(") :]
                connection.exec_driver_sql(
                    f"ALTER TABLE {re.sub('_pkey$', '', name)} ADD CONSTRAINT {name} PRIMARY KEY {key}"
                )
            else:
                connection.exec_driver_sql(definition)
            said(f"index {name}")
        for table in ("incidents", "threads", "incident_events"):
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        connection.exec_driver_sql(_PLACES)
        connection.exec_driver_sql(
            "INSERT INTO stale_days (day, tx) SELECT DISTINCT floor(opened_s / 86400)::integer, 0 FROM incidents"
        )
