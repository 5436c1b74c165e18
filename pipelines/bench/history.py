"""`gatewatch bench history`: a list's page and a term's figures over millions of incidents, and what they cost who writes."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pipelines.bench import history_rows
from pipelines.bench.history_rows import DAYS, END_S, TERM_DAYS
from pipelines.bench.history_writing import writing
from pipelines.bench.postgres import TemporaryPostgres
from pipelines.errors import BadInput
from pipelines.history.stats import stats
from pipelines.metrics import package_version
from pipelines.store import history
from pipelines.store.database import Database, database_beside, sqlite_url
from pipelines.store.queries import IncidentFilter, list_incidents

_PAGE: Final = 50
_TRIES: Final = 3
_TIMEZONE: Final = "Asia/Shanghai"
#: A server of its own, with what one gives a small one; nothing of it outlives the measurement.
_SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "shared_buffers": "1GB",
    "work_mem": "32MB",
}
_BEGIN_S: Final = END_S - DAYS * 86_400.0
#: A filter, and what is asked. `fire-lane` is one incident in fifty thousand, level 1 one in two thousand.
FILTERS: Final[dict[str, IncidentFilter]] = {
    "everything": IncidentFilter(),
    "a camera": IncidentFilter(camera="gate-042"),
    "a kind": IncidentFilter(kind="possible_bullying"),
    "a zone": IncidentFilter(zone="forecourt"),
    "a rare zone": IncidentFilter(zone="fire-lane"),
    "level 2 or graver": IncidentFilter(severity=2),
    "level 1": IncidentFilter(severity=1),
    "still open": IncidentFilter(state="open"),
    "judged false": IncidentFilter(verdict="false"),
    "a rare verdict": IncidentFilter(verdict="duplicate"),
    "not judged": IncidentFilter(verdict="none"),
    "no drills": IncidentFilter(drills=False),
    "camera, kind, level 2": IncidentFilter(camera="gate-042", kind="crowding", severity=2),
    "camera, level 1": IncidentFilter(camera="gate-042", severity=1),
    "camera, judged false": IncidentFilter(camera="gate-042", verdict="false"),
    "kind, level 1": IncidentFilter(kind="possible_bullying", severity=1),
    "camera, zone of none": IncidentFilter(camera="gate-042", zone="nowhere"),
    "ten cameras": IncidentFilter(cameras=frozenset(f"gate-{number:03d}" for number in range(10))),
    "a week a year ago": IncidentFilter(
        since_s=END_S - 372 * 86_400.0, until_s=END_S - 365 * 86_400.0, kind="crowding"
    ),
    "text, a camera's name": IncidentFilter(text="校门 042"),
    "text, an id's beginning": IncidentFilter(text="00000000-"),
    "camera, kind, level, verdict": IncidentFilter(camera="gate-042", kind="crowding", level=2, verdict="false"),
    "kind, level 1, a term, no verdict": IncidentFilter(
        kind="possible_bullying", severity=1, verdict="none", since_s=END_S - TERM_DAYS * 86_400.0
    ),
    "a kind, another's zone": IncidentFilter(kind="illegal_parking", zone="forecourt"),
    "kind, rare verdict": IncidentFilter(kind="crowding", verdict="duplicate"),
    "ten cameras, level 1, judged true": IncidentFilter(
        cameras=frozenset(f"gate-{number:03d}" for number in range(10)), severity=1, verdict="true"
    ),
    "text of a zone, level 1, not judged": IncidentFilter(text="FORECOURT", severity=1, verdict="none"),
    "Mondays at 7": IncidentFilter(weekday=1, hour=7, timezone=_TIMEZONE),
    "Mondays at 7, level 1 of a kind": IncidentFilter(
        weekday=1, hour=7, timezone=_TIMEZONE, kind="crowding", severity=1
    ),
    "at 3": IncidentFilter(hour=3, timezone=_TIMEZONE),
    "at 3, of a kind": IncidentFilter(hour=3, timezone=_TIMEZONE, kind="possible_bullying"),
}


def run(
    rows: int, databases: tuple[str, ...], folder: Path | None, said: Callable[[str], None], url: str | None = None
) -> dict[str, Any]:
    """Measure on each of `databases` (`sqlite`, `postgresql`). `folder`: where the data is made and deleted again. `url`: a
    PostgreSQL server whose user may make databases; without one a server is started for the measurement.

    Raises: BadInput: too little disk. Unavailable: PostgreSQL is missing or away.
    """
    if rows < 1000:
        raise BadInput(f"{rows} incidents measure nothing: give at least 1000")
    where = folder or Path(tempfile.gettempdir())
    needed, free = rows * 1700, shutil.disk_usage(where).free
    if free < needed + 2**30:
        raise BadInput(f"{rows:,} incidents need {needed / 2**30:.0f} GiB in {where}, {free / 2**30:.0f} GiB are free")
    found: dict[str, Any] = {"version": package_version(), "rows": rows, "days": DAYS, "term_days": TERM_DAYS}
    for name in databases:
        with _store(name, where, url) as (database, path):
            found[name] = _measured(database, path, rows, said)
    return found


@contextmanager
def _store(name: str, where: Path, url: str | None) -> Iterator[tuple[Database, Path | None]]:
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="gatewatch-bench-", dir=where) as folder:
            database = Database(sqlite_url(Path(folder)))
            database.migrate()
            yield database, Path(folder) / "gatewatch.db"
            database.close()
        return
    if url is not None:
        with database_beside(url) as own:
            database = Database(own)
            database.migrate()
            yield database, None
            database.close()
        return
    with TemporaryPostgres(_SETTINGS, where) as server:
        database = Database(server.url())
        database.migrate()
        yield database, None
        database.close()


def _measured(database: Database, path: Path | None, rows: int, said: Callable[[str], None]) -> dict[str, Any]:
    found: dict[str, Any] = {"writing": writing(database, said)}
    begin_s = time.perf_counter()
    if path is not None:
        database.close()
    history_rows.fill(database, path, rows, said)
    found["fill_s"] = round(time.perf_counter() - begin_s, 1)
    if path is not None:
        found["bytes"] = path.stat().st_size
    else:
        with database.write() as connection:
            found["bytes"] = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar()
        _vacuumed(database)
    said("pages")
    found["pages"] = {name: _pages(database, wanted) for name, wanted in FILTERS.items()}
    slowest = max(found["pages"].items(), key=lambda item: float(item[1]["worst_ms"]))
    found["slowest_page"] = {"filter": slowest[0], "worst_ms": slowest[1]["worst_ms"]}
    said("a term from the rows")
    term = IncidentFilter(since_s=END_S - TERM_DAYS * 86_400.0, drills=False)
    found["stats_from_rows_s"] = _stats_s(database, term)["seconds"]
    said("summing up")
    begin_s = time.perf_counter()
    with database.read() as connection:
        days = history.stale(connection)
    for day in days:
        with database.write() as connection:
            history.roll(connection, day)
    found["roll_s_per_day"] = round((time.perf_counter() - begin_s) / max(1, len(days)), 4)
    said("figures")
    found["stats_term"] = _stats_s(database, term)
    found["stats_term_camera"] = _stats_s(database, replace(term, camera="gate-042"))
    found["stats_term_level_2"] = _stats_s(database, replace(term, severity=2))
    found["stats_everything"] = _stats_s(database, IncidentFilter(drills=False))
    return found


def _vacuumed(database: Database) -> None:
    """As autovacuum leaves it."""
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def _pages(database: Database, wanted: IncidentFilter) -> dict[str, Any]:
    """Times of the newest page, of four that follow it, and of pages that begin anywhere in the history: the best of three
    tries of each (the machine has other work), and the worst first try."""
    times_ms: list[float] = []
    colds_ms: list[float] = []
    cpus_ms: list[float] = []
    count = 0

    def page(asked: IncidentFilter, cursor: str | None) -> str | None:
        nonlocal count
        tries_ms: list[float] = []
        tries_cpu_ms: list[float] = []
        for _ in range(_TRIES):
            begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
            with database.reading() as connection:
                found = list_incidents(connection, asked, _PAGE, cursor)
            tries_ms.append(1000 * (time.perf_counter() - begin_s))
            tries_cpu_ms.append(1000 * (time.process_time() - begin_cpu_s))
        colds_ms.append(tries_ms[0])
        times_ms.append(min(tries_ms))
        cpus_ms.append(min(tries_cpu_ms))
        count = max(count, len(found.rows))
        return found.cursor

    cursor = page(wanted, None)
    for _ in range(4):
        cursor = page(wanted, cursor) if cursor else cursor
    if wanted.until_s is None:
        # As if one had turned pages until there: a cursor is a time and an id.
        for share in (0.9, 0.5, 0.1, 0.003):
            deep = _deep_cursor(database, _BEGIN_S + share * DAYS * 86_400)
            for _ in range(2):
                deep = page(wanted, deep) if deep else deep
    ordered = sorted(times_ms)
    return {
        "worst_cpu_ms": round(max(cpus_ms), 2),
        "worst_first_try_ms": round(max(colds_ms), 2),
        "median_ms": round(ordered[len(ordered) // 2], 2),
        "worst_ms": round(ordered[-1], 2),
        "rows": count,
        "pages": len(ordered),
    }


def _deep_cursor(database: Database, time_s: float) -> str | None:
    with database.reading() as connection:
        return list_incidents(connection, IncidentFilter(until_s=time_s), 1).cursor


def _stats_s(database: Database, wanted: IncidentFilter) -> dict[str, Any]:
    """The better of two."""
    times_s: list[float] = []
    cpus_s: list[float] = []
    for _ in range(2):
        begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        with database.reading() as connection:
            names = partial(history.camera_names, connection)
            figures = stats(history.stream(connection, wanted), _TIMEZONE, names)
        times_s.append(time.perf_counter() - begin_s)
        cpus_s.append(time.process_time() - begin_cpu_s)
        if times_s[0] > 10:
            break
    return {
        "seconds": round(min(times_s), 3),
        "first_s": round(times_s[0], 3),
        "cpu_s": round(min(cpus_s), 3),
        "incidents": figures["incidents"],
        "cameras": len(figures["by_camera"]),
    }
