"""Doubles for tests: fakes for time and for faults only. Everything else in the tests is the real thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any
from unittest import SkipTest

from pipelines.tracks.chunk import Chunk
from pipelines.tracks.packed import PackedFrames
from pipelines.tracks.strand import Piece, Strand
from vision import native
from vision.incident import Incident, Phase, Quantity


class FakeClock:
    """A clock that a test moves by hand; waiting moves it at once."""

    def __init__(self, now_s: float = 1_790_000_000.0) -> None:
        self._now_s = now_s
        self._monotonic_s = 1_000.0

    def now_s(self) -> float:
        return self._now_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wait(self, stop: Event, timeout_s: float) -> bool:
        self.advance(max(0.0, timeout_s))
        return stop.is_set()

    def advance(self, seconds: float) -> None:
        """Both clocks go on by `seconds`."""
        self._now_s += seconds
        self._monotonic_s += seconds

    def step(self, seconds: float) -> None:
        """Only the wall clock jumps, as when somebody sets it."""
        self._now_s += seconds


def both_ways(work: Callable[[], Any], *modules: str) -> tuple[Any, Any]:
    """What `work` gives with the compiled `modules` of `vision.native` (all, when none is named), and without them.

    Raises:
        SkipTest: one was not compiled.
    """
    was = {name: getattr(native, name) for name in modules or native.modules()}
    missing = [name for name, module in was.items() if module is None]
    if missing:
        raise SkipTest(
            f"vision.native was not compiled: {', '.join(missing)}; no C compiler when Gatewatch was installed"
        )
    compiled = work()
    try:
        for name in was:
            setattr(native, name, None)
        return compiled, work()
    finally:
        for name, module in was.items():
            setattr(native, name, module)


def until(condition: Callable[[], object], within_s: float = 90.0, what: str = "the condition") -> None:
    """Poll until `condition()` is true. Raises AssertionError after `within_s`: a bound for a hang, not a speed."""
    deadline_s, pause_s = time.monotonic() + within_s, 0.01
    while not condition():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{what} did not come true within {within_s} s")
        time.sleep(pause_s)
        # What takes seconds is not asked for a hundred times in each: a condition may open an index or start a program.
        pause_s = min(0.1, 1.5 * pause_s)


def gathered(put: Callable[[Chunk], None]) -> Callable[[Piece], None]:
    """What `TrackKeeper` gives its pieces to; `put` gets each chunk once it has ended."""
    growing: dict[Strand, Chunk] = {}

    def take(piece: Piece) -> None:
        if piece.strand.origin is not None:
            growing[piece.strand] = Chunk(piece.strand.origin, PackedFrames())
            piece.strand.origin = None
        growing[piece.strand].frames.extend(piece.frames)
        if piece.is_last:
            put(growing.pop(piece.strand))

    return take


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def an_incident(
    incident_id: str = "case-1", revision: int = 1, phase: Phase = Phase.OPENED, **changes: Any
) -> Incident:
    """A plausible parking incident; name only what the test is about."""
    opened = phase is not Phase.WARNED
    values: dict[str, Any] = {
        "incident_id": incident_id,
        "camera_id": "gate-north",
        "kind": "illegal_parking",
        "rule_id": "illegal_parking:kerb",
        "zone_id": "kerb",
        "phase": phase,
        "revision": revision,
        "severity": 2,
        "score": 0.75,
        "first_seen_s": 1_790_000_000.0,
        "opened_s": 1_790_000_180.0 if opened else None,
        "closed_s": 1_790_000_400.5 if phase is Phase.CLOSED else None,
        "close_reason": "left" if phase is Phase.CLOSED else None,
        "time_s": 1_790_000_180.0 + 10.0 * revision,
        "box_norm": (0.1, 0.2, 0.3, 0.4),
        "track_ids": (7,),
        "evidence": {"stopped": Quantity(180.0, "s")},
    }
    return Incident(**(values | changes))
