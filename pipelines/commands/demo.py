"""`gatewatch demo`: what `make demo` runs; ends by itself, exit 0 only if the truth's incidents were raised and no others."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import BadInput, GatewatchError

if TYPE_CHECKING:
    from pipelines.clock import Clock
    from pipelines.demo.site import DemoSite
    from pipelines.demo.telling import Teller
    from pipelines.demo.verdict import Verdict

_START_WITHIN_S: Final = 90.0
_LAST_ALERTS_S: Final = 3.0
_TURN_S: Final = 0.1


def add(commands: Any) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("demo", help="two sample cameras through the whole chain, held against the truth")
    parser.add_argument("--seconds", type=float, default=120.0, help="of footage (default: 120)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run for the given time, tell what happens, judge it."""
    from pipelines.clock import SystemClock
    from pipelines.demo.site import DemoSite
    from pipelines.demo.telling import Teller
    from pipelines.media.ffmpeg import Ffmpeg
    from pipelines.paths import default_data_dir
    from pipelines.samples import library

    if not 5 <= args.seconds <= 3600:
        raise BadInput(f"--seconds {args.seconds:g}: give 5 to 3600")
    _check_model()
    clock, teller = SystemClock(), Teller(sys.stdout.isatty())
    streams = library.prepare(Ffmpeg.find(None), _say)
    with DemoSite(default_data_dir() / "demo", streams, clock) as site:
        return _Demo(site, teller, clock, args.seconds).run()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _check_model() -> None:
    """A missing model is told now, not by a worker's log."""
    from pipelines.config.schema import Config
    from pipelines.detector import load_detector

    load_detector(Config())


class _Demo:
    def __init__(self, site: DemoSite, teller: Teller, clock: Clock, seconds: float) -> None:
        self._site, self._teller, self._clock, self._seconds = site, teller, clock, seconds
        self._first_s: dict[str, float] = {}
        self._opened: dict[str, dict[str, Any]] = {}
        self._told: set[str] = set()
        self._delays_s: list[float] = []

    def run(self) -> int:
        from threading import Event

        self._introduce()
        never = Event()
        started_s = self._clock.monotonic_s()
        while not self._over(started_s):
            self._site.run_once()
            self._tell()
            self._clock.wait(never, _TURN_S)
        ended_s = self._clock.monotonic_s()
        while self._opened.keys() - self._told and self._clock.monotonic_s() - ended_s < _LAST_ALERTS_S:
            self._tell()
            self._clock.wait(never, _TURN_S)
        return self._conclude()

    def _introduce(self) -> None:
        from pipelines.samples import library

        _say(self._teller.heading(f"Gatewatch demo: {self._seconds:.0f} s of two cameras over RTSP"))
        for camera in self._site.cameras:
            clip = library.clips()[camera.clip]
            _say(f"  {camera.camera_id:8} {clip.name}  {camera.sub_url.partition('?')[0]}")
        _say("  worker → Redis stream → dispatcher → alerts; △ warned  ● opened  · goes on  ○ closed")
        _say("")

    def _over(self, started_s: float) -> bool:
        for camera in self._site.cameras:
            if camera.camera_id not in self._first_s:
                first_s = self._site.first_picture_s(camera.camera_id)
                if first_s is not None:
                    self._first_s[camera.camera_id] = first_s
        if len(self._first_s) < len(self._site.cameras):
            if self._clock.monotonic_s() - started_s > _START_WITHIN_S:
                raise GatewatchError(
                    f"not every camera gave a picture within {_START_WITHIN_S:.0f} s; {self._site.log} says:\n"
                    f"{self._site.last_words()}"
                )
            return False
        return self._clock.now_s() - max(self._first_s.values()) >= self._seconds

    def _tell(self) -> None:
        for event in self._site.events():
            data = event.data
            if data["phase"] != "warned":
                self._opened[data["incident_id"]] = data
            _say(self._teller.incident(self._at_s(data["camera"], data["time_s"]), event))
        for message in self._site.alerts():
            data = message["event"]["data"]
            delay_s = self._clock.now_s() - data["time_s"]
            if data["incident_id"] not in self._told:
                self._told.add(data["incident_id"])
                self._delays_s.append(delay_s)
                _say(self._teller.alert(self._at_s(data["camera"], data["time_s"]), message, delay_s))

    def _at_s(self, camera_id: str, time_s: float) -> float:
        return max(0.0, time_s - self._first_s.get(camera_id, time_s))

    def _conclude(self) -> int:
        verdicts = {camera.camera_id: self._judge(camera.camera_id, camera.clip) for camera in self._site.cameras}
        faults = [f"{camera_id}: {fault}" for camera_id, one in verdicts.items() for fault in one.faults]
        unheard = len(self._opened.keys() - self._told)
        if unheard:
            faults.append(f"{unheard} incidents reached no recipient")
        _say("")
        expected = sum(one.expected for one in verdicts.values())
        for fault in faults:
            _say(self._teller.verdict(f"  ✗ {fault}", False))
        if not faults:
            largest_s = max(one.largest_delay_s for one in verdicts.values())
            _say(
                self._teller.verdict(
                    f"  ✓ {expected} of {expected} incidents of the truth were raised, none too many; "
                    f"opening and closing at most {largest_s:.1f} s from the truth",
                    True,
                )
            )
        folder = self._site.folder
        pictures, main = self._site.pictures()
        _say(
            f"  {pictures} pictures of incidents, {main} of those moments also in full size from the recorded main stream"
        )
        _say(f"  pictures: {folder / 'data' / 'pictures'}   logs: {self._site.log}")
        _say(f"  ask again: gatewatch incidents list -c {self._site.config}")
        _say(f"  this week's inspection sheet: gatewatch report --current -c {self._site.config}")
        return 1 if faults else 0

    def _judge(self, camera_id: str, clip: str) -> Verdict:
        from pipelines.demo.verdict import expected_within, judge
        from pipelines.samples import library
        from vision.evaluation.incidents import Happening

        first_s = self._first_s[camera_id]
        raised = [
            Happening(
                data["kind"],
                data["zone"],
                data["opened_s"] - first_s,
                None if data["closed_s"] is None else data["closed_s"] - first_s,
            )
            for data in self._opened.values()
            if data["camera"] == camera_id
        ]
        truth = library.truth(library.clips()[clip])
        return judge(expected_within(truth, self._seconds), raised, self._seconds)
