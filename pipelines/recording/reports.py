"""Coverage per camera and day, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.errors import BadInput
from pipelines.recording import ledger
from pipelines.recording.clips import Clip, clips_between
from pipelines.recording.coverage import Coverage, Gap, Span, timeline
from pipelines.recording.index import Index
from pipelines.recording.keeper import achieved_retention_s
from pipelines.recording.layout import rfc3339

_WIDTH: Final = 72


def parse_time(text: str, zone: ZoneInfo) -> int:
    """`2026-11-23`, `2026-11-23T08:00`, with `Z` or `+08:00` if it is not the site's time -> UTC ms. Raises BadInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(
            f"{text!r} is not a time; write 2026-11-23T08:00:00 (the site's time) or with Z or +08:00"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)


def days(span: Span, zone: ZoneInfo) -> Iterator[tuple[date, Span]]:
    """The local days that `span` touches, each with its own whole span (23 or 25 hours when clocks change)."""
    day = datetime.fromtimestamp(span.from_ms / 1000, zone).date()
    while True:
        start = round(datetime.combine(day, time(), zone).timestamp() * 1000)
        if start >= span.to_ms:
            return
        following = day + timedelta(days=1)
        yield day, Span(start, round(datetime.combine(following, time(), zone).timestamp() * 1000))
        day = following


@dataclass(frozen=True, slots=True)
class DayReport:
    """One camera, one local day, as far as it has passed and the camera was known. `deleted_ms` of what was recorded
    has been deleted by retention since."""

    camera: str
    day: date
    coverage: Coverage
    deleted_ms: int
    achieved_retention_s: float
    promised_retention_s: float
    clock_steps_s: tuple[float, ...]
    clips: tuple[Clip, ...] = ()

    def to_json(self) -> dict[str, Any]:
        longest = self.coverage.longest_gap
        return {
            "camera": self.camera,
            "day": self.day.isoformat(),
            "from": rfc3339(self.coverage.span.from_ms),
            "to": rfc3339(self.coverage.span.to_ms),
            "completeness": _percent(self.coverage),
            "recorded_s": self.coverage.recorded_ms / 1000,
            "gap_s": round(sum(gap.duration_s for gap in self.coverage.gaps), 3),
            "longest_gap_s": 0.0 if longest is None else longest.duration_s,
            "gaps": [_gap(gap) for gap in self.coverage.gaps],
            "deleted_s": self.deleted_ms / 1000,
            "achieved_retention_s": round(self.achieved_retention_s, 3),
            "promised_retention_s": self.promised_retention_s,
            "clock_steps_s": list(self.clock_steps_s),
            "clips": [
                {
                    "incident_id": clip.incident_id,
                    "from": rfc3339(clip.span.from_ms),
                    "to": rfc3339(clip.span.to_ms),
                    "path": clip.path,
                }
                for clip in self.clips
            ],
        }

    def lines(self, zone: ZoneInfo) -> list[str]:
        """For a terminal, times in the site's zone."""

        def clock(ms: int) -> str:
            return datetime.fromtimestamp(ms / 1000, zone).strftime("%H:%M:%S")

        span, longest = self.coverage.span, self.coverage.longest_gap
        worst = "" if longest is None else f"   longest gap {_duration(longest.duration_s)} ({longest.cause.value})"
        promised = _duration(self.promised_retention_s)
        lines = [
            f"{self.camera}  {self.day}  {clock(span.from_ms)}-{clock(span.to_ms)}  {_percent(self.coverage):.3f} %{worst}",
            f"  |{timeline(self.coverage, _WIDTH)}|",
            f"  can be replayed back to {_duration(self.achieved_retention_s)} ago (promised: {promised})",
        ]
        for gap in self.coverage.gaps:
            why = f"{gap.cause.value}: {gap.detail}" if gap.detail else gap.cause.value
            lines.append(f"  {clock(gap.from_ms)}-{clock(gap.to_ms)}  {_duration(gap.duration_s):>9}  {why}")
        for clip in self.clips:
            lines.append(f"  {clock(clip.span.from_ms)}-{clock(clip.span.to_ms)}  clip of incident {clip.incident_id}")
        lines += [f"  the host's clock was stepped by {step:+.1f} s" for step in self.clock_steps_s]
        return lines


def report(
    index: Index,
    span: Span,
    zone: ZoneInfo,
    now_ms: int,
    *,
    cameras: list[str] | None = None,
    promised_s: Mapping[str, float],
    tolerance_ms: int,
) -> list[DayReport]:
    """Raises BadInput: a camera that the ledger does not know."""
    known = ledger.cameras(index)
    unknown = sorted(set(cameras or ()) - set(known))
    if unknown:
        raise BadInput(
            f"nothing is known of camera {', '.join(unknown)}; the ledger knows {', '.join(known) or 'none'}"
        )
    reports: list[DayReport] = []
    steps = index.read("SELECT at_ms, step_ms FROM clock_steps WHERE at_ms BETWEEN ? AND ?", tuple(span)).fetchall()
    for camera in cameras or list(known):
        achieved = achieved_retention_s(index, camera, now_ms, tolerance_ms)
        until_ms = ledger.accounted_until(index, camera, now_ms)
        for day, whole in days(span, zone):
            part = Span(max(whole.from_ms, known[camera], span.from_ms), min(whole.to_ms, until_ms, span.to_ms))
            if part.to_ms <= part.from_ms:
                continue
            coverage = ledger.coverage(index, camera, part, now_ms)
            there = sum(to - start for start, to in ledger.replayable(index, camera, part, now_ms).recorded)
            stepped = tuple(step / 1000 for at, step in steps if part.from_ms <= at < part.to_ms)
            deleted = max(0, coverage.recorded_ms - there)
            reports.append(
                DayReport(
                    camera,
                    day,
                    coverage,
                    deleted,
                    achieved,
                    promised_s.get(camera, 0.0),
                    clock_steps_s=stepped,
                    clips=tuple(clips_between(index, camera, part)),
                )
            )
    return reports


def _percent(coverage: Coverage) -> float:
    return round(coverage.completeness * 100, 4)


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "from": rfc3339(gap.from_ms),
        "to": rfc3339(gap.to_ms),
        "cause": gap.cause.value,
        "seconds": gap.duration_s,
        "detail": gap.detail,
    }


def _duration(seconds: float) -> str:
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.1f} d"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.1f} s"
