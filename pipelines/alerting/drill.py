"""The drill: a marked incident that is made on schedule where incidents are made, and must arrive with everybody.

The janitor makes it (`Drills`) and puts it on the bus like any worker; the dispatchers look whether it arrived
(`pipelines.alerting.escalation`). Its id follows from the schedule, so both know it without a word to each other.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import Final

from pipelines.alerting.duty import Recipient, edges_s
from pipelines.alerting.routing import DRILL
from pipelines.clock import Clock
from pipelines.config.schedule import Schedule
from pipelines.errors import GatewatchError
from pipelines.events.bus import Publisher
from pipelines.events.envelope import Event, incident_event, rfc3339
from pipelines.logs import fields
from vision.incident import Incident, Phase

_EVERY_S: Final = 1.0
#: A janitor that starts this late after the begin still makes the drill.
_LATE_S: Final = 60.0


def starts(schedule: Schedule, from_s: float, until_s: float) -> list[float]:
    """When the schedule begins, in (from_s, until_s], in order."""
    edges = sorted(set(edges_s(schedule, from_s, until_s)))
    return [edge for edge in edges if schedule.active(edge) and not schedule.active(edge - 0.001)]


def id_of(start_s: float) -> str:
    """The incident id of the drill of that begin."""
    return f"drill-{rfc3339(start_s)}"


def events_of(start_s: float, now_s: float, config_version: str, site: str) -> list[Event]:
    """What is put on the bus: it opens, and it is over."""
    return [
        incident_event(
            Incident(
                incident_id=id_of(start_s),
                camera_id="-",
                kind=DRILL,
                rule_id=DRILL,
                zone_id="",
                phase=phase,
                revision=revision,
                severity=4,
                score=0.0,
                first_seen_s=now_s,
                opened_s=now_s,
                closed_s=now_s if phase is Phase.CLOSED else None,
                close_reason=DRILL if phase is Phase.CLOSED else None,
                time_s=now_s,
                box_norm=None,
                track_ids=(),
            ),
            config_version,
            site,
            drill=True,
        )
        for revision, phase in ((1, Phase.OPENED), (2, Phase.CLOSED))
    ]


def missing(people: Sequence[Recipient], arrivals: Iterable[tuple[str, str, str, float | None]]) -> str:
    """Where a drill did not arrive, in words; empty: it arrived everywhere."""
    arrived = {(recipient, channel) for recipient, channel, state, _ in arrivals if state == "sent"}
    lost = [
        f"{person.called or person.name} ({channel})"
        for person in people
        for channel in person.channels
        if (person.name, channel) not in arrived
    ]
    return ", ".join(lost)


def delays(arrivals: Iterable[tuple[str, str, str, float | None]]) -> dict[str, float]:
    """The longest delay of each channel, in seconds."""
    longest: dict[str, float] = {}
    for _, channel, state, delay_s in arrivals:
        if state == "sent" and delay_s is not None:
            longest[channel] = max(longest.get(channel, 0.0), delay_s)
    return longest


class Drills:
    """Makes the drills. Twice is harmless: an event of the same id is on the bus once."""

    def __init__(
        self,
        schedule: Schedule,
        publisher: Publisher,
        clock: Clock,
        config_version: str,
        site: str,
        log: logging.Logger,
    ) -> None:
        self._schedule, self._publisher, self._clock = schedule, publisher, clock
        self._config_version, self._site, self._log = config_version, site, log
        self._made_s = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            try:
                self.run_once()
            except GatewatchError as error:
                self._log.error("the drill could not be made: %s", error)
            self._clock.wait(stop, _EVERY_S)

    def run_once(self) -> bool:
        """Make the drill whose time has come; False: none has. Raises what the publisher raises."""
        now_s = self._clock.now_s()
        begun = [start for start in starts(self._schedule, now_s - _LATE_S, now_s) if start > self._made_s]
        if not begun:
            return False
        for event in events_of(begun[-1], now_s, self._config_version, self._site):
            self._publisher.publish(event)
        self._made_s = begun[-1]
        self._log.info("a drill is on its way", extra=fields(incident=id_of(begun[-1])))
        return True
