"""`gatewatch janitor`: clips, large pictures and longer keeping for incidents, the recorder's own alarms onto the bus, the
history's sums."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.commands.options import add_config, load_config

if TYPE_CHECKING:
    from pipelines.store.database import Database


def add(commands: Any) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("janitor", help="clips of incidents, their footage kept, the recorder's alarms told")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT."""
    from threading import Thread

    from pipelines.alerting.drill import Drills
    from pipelines.clock import SystemClock
    from pipelines.commands.site import database_of, set_up_logs
    from pipelines.config.timetable import schedule
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import RedisPublisher
    from pipelines.evidence.stills import MainStills
    from pipelines.history.keeping import HistoryKeeper
    from pipelines.janitor import Janitor
    from pipelines.lifecycle import stop_on_signals
    from pipelines.recording.footage import Footage
    from pipelines.store.queries import IncidentFilter, list_incidents
    from pipelines.tracks.upkeep import TrackUpkeep

    loaded = load_config(args)
    config = loaded.config
    stop = stop_on_signals()
    set_up_logs(config)
    clock, database = SystemClock(), database_of(config)

    def incidents_since(time_s: float) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor = None
        if not database.exists():
            return rows  # no dispatcher has made it yet
        with database.read() as connection:
            while True:
                page = list_incidents(connection, IncidentFilter(since_s=time_s, drills=False), 500, cursor)
                rows += page.rows
                cursor = page.cursor
                if cursor is None:
                    return rows

    publisher = RedisPublisher(redis_url(config), config.data / "spool" / "janitor", clock)
    publisher.open()
    janitor = Janitor(
        lambda: Footage.open(config, clock),
        incidents_since,
        publisher,
        loaded.version,
        clock,
        logging.getLogger("gatewatch.janitor"),
        MainStills(config.data / "pictures", config, _put(database), clock, logging.getLogger("gatewatch.evidence")),
    )
    keeper = HistoryKeeper(database, clock, logging.getLogger("gatewatch.history"))
    upkeep = TrackUpkeep(config.data / "tracks", config.tracks.keep, clock, logging.getLogger("gatewatch.tracks"))
    threads = {
        "spool": Thread(target=publisher.run, args=(stop,)),
        "history": Thread(target=keeper.run, args=(stop,)),
        "tracks": Thread(target=upkeep.run, args=(stop,)),
    }
    for thread in threads.values():
        thread.start()
    if config.alerts.drill.schedule != "never":
        when = schedule(config, config.alerts.drill.schedule)
        drills = Drills(when, publisher, clock, loaded.version, config.site.name, logging.getLogger("gatewatch.drill"))
        Thread(target=drills.run, args=(stop,), name="drills", daemon=True).start()
    try:
        janitor.run(stop)
    finally:
        stop.set()
        for name, thread in threads.items():
            thread.join(30.0 if name == "history" else 5.0)
        publisher.close()
    return 0


def _put(database: Database) -> Callable[[str, Mapping[str, Any]], None]:
    from pipelines.store import stills

    def put(incident_id: str, still: Mapping[str, Any]) -> None:
        with database.write() as connection:
            stills.put(connection, incident_id, still)

    return put
