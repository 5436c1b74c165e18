"""Sums up the days that changed, so that a question about a year reads columns and not rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event as StopEvent
from typing import Final

from pipelines.clock import Clock
from pipelines.errors import BadInput, GatewatchError
from pipelines.store import history
from pipelines.store.database import Database

_EVERY_S: Final = 600.0
#: While the tables are not there yet: the first dispatcher makes them.
_SOON_S: Final = 30.0
#: Between two days, so that who writes incidents is not kept waiting.
_BREATH_S: Final = 0.05


class HistoryKeeper:
    """Answers are right without it, only slower."""

    def __init__(self, database: Database, clock: Clock, log: logging.Logger) -> None:
        self._database = database
        self._clock = clock
        self._log = log

    def run(self, stop: StopEvent) -> None:
        """Every ten minutes until told to stop; what is away is tried again."""
        while not stop.is_set():
            wait_s = _EVERY_S
            try:
                self.run_once(stop)
            except BadInput:
                wait_s = _SOON_S
            except GatewatchError as error:
                self._log.warning("the history waits: %s", error)
                wait_s = _SOON_S
            self._clock.wait(stop, wait_s)

    def run_once(self, stop: StopEvent | None = None) -> int:
        """One round; returns how many days were summed up.

        Raises: BadInput: there are no tables yet. Unavailable: the store is away.
        """
        with self._database.reading() as connection:
            days = history.stale(connection)
        for number, day in enumerate(days):
            with self._database.write() as connection:
                history.roll(connection, day)
            if stop is not None and self._clock.wait(stop, _BREATH_S):
                return number + 1
        return len(days)


def check(database: Database, *, rebuild: bool, told: Callable[[int, int], None]) -> list[int]:
    """Hold every day's columns against its rows; returns the days (since 1970, UTC) that differ. `rebuild`: all days are
    written anew instead. `told`: after each day, how many are done and of how many.

    Raises: BadInput: there are no tables yet. Unavailable: the store is away.
    """
    with database.reading() as connection:
        kept, stale = history.days(connection), history.stale(connection, 1_000_000)
    wrong: list[int] = []
    asked = sorted({*kept, *stale}) if rebuild else kept
    for number, day in enumerate(asked, 1):
        if rebuild:
            with database.write() as connection:
                history.roll(connection, day)
        else:
            with database.read() as connection:
                if history.differs(connection, day):
                    wrong.append(day)
        told(number, len(asked))
    return wrong
