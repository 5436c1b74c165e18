"""Recorded footage for everybody else: the console, the dispatcher, the janitor. Opens the index for one question each.

Any thread may call; nothing is kept open. Times are seconds since the Unix epoch, as incidents carry them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.clock import Clock
from pipelines.config.schema import Config
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import alarms, clips, clocks, holds, ledger, settings
from pipelines.recording.clips import Clip
from pipelines.recording.clockstate import ClockGrade, host_clock
from pipelines.recording.coverage import Coverage, Span
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume
from pipelines.recording.segments import Segment

if TYPE_CHECKING:
    from pipelines.recording.stills import Still


def _span(from_s: float, to_s: float) -> Span:
    return Span(round(from_s * 1000), round(to_s * 1000))


class Footage:
    """`pre_s` and `post_s` are what a clip shows before and after its incident; `segment_s` is how long segments grow."""

    def __init__(
        self,
        volume: Volume,
        binary: Ffmpeg,
        clock: Clock,
        *,
        pre_s: float = 10.0,
        post_s: float = 20.0,
        segment_s: float = 10.0,
    ) -> None:
        self.volume = volume
        self._binary = binary
        self._clock = clock
        self._pre_s = pre_s
        self._post_s = post_s
        self._segment_ms = round(segment_s * 1000)

    @classmethod
    def open(cls, config: Config, clock: Clock) -> Footage:
        """Raises Unavailable: nothing has been recorded there (yet)."""
        volume = settings.open_volume(config, create=False)
        recording = config.recording
        return cls(
            volume,
            Ffmpeg.find(config.ffmpeg),
            clock,
            pre_s=recording.pre,
            post_s=recording.post,
            segment_s=recording.segment,
        )

    def _now_ms(self) -> int:
        return round(self._clock.now_s() * 1000)

    def path(self, item: Segment | Clip) -> Path:
        """The file on the disk."""
        return self.volume.root / item.path

    def segments(self, camera: str, from_s: float, to_s: float) -> list[Segment]:
        """What can be played of that time, in order. Raises Unavailable."""
        with Index.open(self.volume.index) as index:
            return ledger.segments(index, camera, _span(from_s, to_s))

    def coverage(self, camera: str, from_s: float, to_s: float) -> Coverage:
        """What can be played and why the rest cannot, for a time line. Raises Unavailable."""
        with Index.open(self.volume.index) as index:
            return ledger.replayable(index, camera, _span(from_s, to_s), self._now_ms())

    def cut(self, camera: str, from_s: float, to_s: float, target: Path) -> None:
        """A video of exactly that time, streams copied. Raises Unavailable, BadInput, FfmpegError."""
        span = _span(from_s, to_s)
        with Index.open(self.volume.index) as index:
            found = clips.segments_of(index, camera, span)
        clips.cut(self._binary, self.volume.root, found, span, target)

    def make_clip(self, incident_id: str, camera: str, from_s: float, to_s: float) -> Clip:
        """The clip of an incident (with the seconds before and after), made once; its footage is kept longer from now on.

        Raises: Unavailable: its end is not recorded yet (try again), or nothing of it is there.
        """
        span = _span(from_s - self._pre_s, to_s + self._post_s)
        with Index.open(self.volume.index) as index:
            return clips.incident_clip(
                index,
                self.volume,
                self._binary,
                incident_id=incident_id,
                camera=camera,
                span=span,
                now_ms=self._now_ms(),
            )

    def clip(self, incident_id: str) -> Clip | None:
        """The clip of an incident, if it has been made. Raises Unavailable."""
        with Index.open(self.volume.index) as index:
            return clips.find_clip(index, incident_id)

    def still(self, camera: str, at_s: float, decoding: Callable[[], object] = lambda: None) -> Still:
        """The recorded picture nearest to a moment. Raises Unavailable: not in a closed segment yet; NoStill: there is none."""
        # Here, so that only who cuts pictures pays for a decoder.
        from pipelines.recording import stills

        at_ms, now_ms, grow_ms = round(at_s * 1000), self._now_ms(), self._segment_ms
        with Index.open(self.volume.index) as index:
            root = self.volume.root
            return stills.nearest(index, root, camera, at_ms, now_ms, segment_ms=grow_ms, decoding=decoding)

    def clips(self, camera: str, from_s: float, to_s: float) -> list[Clip]:
        """Clips on that part of the time line. Raises Unavailable."""
        with Index.open(self.volume.index) as index:
            return clips.clips_between(index, camera, _span(from_s, to_s))

    def keep_incident(self, incident_id: str, camera: str, from_s: float, to_s: float) -> None:
        """Keep the footage of an incident for `keep_incidents`, from the moment it opens. Raises Unavailable."""
        with Index.open(self.volume.index, durable=True) as index:
            span = _span(from_s - self._pre_s, to_s + self._post_s)
            records = Journal(self.volume.journal / "ledger.jsonl")
            holds.mark_incident(index, incident_id, camera, span, records, self._now_ms())

    def clock_grade(self, camera: str, at_s: float) -> ClockGrade:
        """How far times of `camera` around `at_s` can be trusted: goes with each incident. Raises Unavailable."""
        with Index.open(self.volume.index) as index:
            return clocks.grade_of(index, camera, _span(at_s, at_s), self._now_ms(), host_clock())

    def saw(self, actor: str, action: str, reason: str, data: Mapping[str, Any]) -> None:
        """Into the audit: who viewed, who changed the configuration, ... Raises Unavailable."""
        audit = Journal(self.volume.journal / "audit.jsonl")
        audit.append(at_ms=self._now_ms(), action=action, actor=actor, reason=reason, data=data)

    def forward(self, publish: Callable[[dict[str, Any]], None]) -> int:
        """Hand the recorder's own incidents to the bus, oldest first; returns how many. What `publish` raises ends the
        round: the rest waits. A crash in between repeats one, with the same id and revision. Raises Unavailable."""
        count = 0
        with Index.open(self.volume.index) as index:
            for item in alarms.waiting(index):
                publish(item.body)
                alarms.forwarded(index, item.outbox_id, self._now_ms())
                count += 1
        return count
