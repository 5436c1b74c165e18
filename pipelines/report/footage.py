"""What the recording volume says of a time, camera by camera: recorded or why not, how far back, whose clock passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.config.schema import Config
from pipelines.errors import GatewatchError
from pipelines.recording import clocks, ledger, reports, settings
from pipelines.recording.clockstate import EVIDENCE_LIMIT_S, HostClock, host_clock
from pipelines.recording.coverage import Cause, Span
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.keeper import achieved_retention_s
from pipelines.report.period import Period

#: Gaps that show a camera that was not there; the others are our own, or nobody knows.
OFF_LINE: Final = (Cause.CAMERA, Cause.NETWORK)


@dataclass(frozen=True, slots=True)
class CameraFootage:
    """One camera. `accounted_s`: of the period, as far as the ledger speaks of it; `lost_s` by cause. `days`: completeness
    (0..1) by local date. `achieved_s`: how far back everything can be replayed, now; `known_s`: since when it is recorded at
    all; `floor_s` and `promised_s` are what the law and the site ask for. `clock_days`: local days on which its clock passed,
    failed, or nobody can say (True, False, None).
    """

    accounted_s: float
    recorded_s: float
    lost_s: Mapping[Cause, float]
    days: Mapping[date, float]
    clock_days: Mapping[bool | None, int]
    achieved_s: float = 0.0
    known_s: float = 0.0
    floor_s: float = 0.0
    promised_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FootageFacts:
    """`missing`: camera -> why nothing is known of it (a word of the report's vocabulary). `out`: lines of the footage's
    audit in the period, or None when it cannot be read."""

    cameras: Mapping[str, CameraFootage] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    out: Sequence[Mapping[str, Any]] | None = None
    at_s: float = 0.0


def footage_of(config: Config, cameras: Sequence[str], period: Period, now_s: float) -> FootageFacts:
    """Whatever is wrong with the volume is a reason, never an error: the report says so and goes on."""
    recorded = {name for name in cameras if name in config.cameras and config.cameras[name].recording.enabled}
    missing = dict.fromkeys(set(cameras) - recorded, "not_recorded")
    try:
        volume = settings.open_volume(config, create=False)
        out = _audited(Journal(volume.journal / "audit.jsonl"), period)
        with Index.open(volume.index) as index:
            found, unknown = _cameras(index, config, sorted(recorded), period, round(now_s * 1000))
    except (GatewatchError, OSError):
        return FootageFacts({}, missing | dict.fromkeys(recorded, "no_volume"), None, now_s)
    return FootageFacts(found, missing | unknown, out, now_s)


def clock_passed(grade: Mapping[str, Any] | None) -> bool | None:
    """Whether the error is known to be at most a second (GA/T 832-2014). None: not everything is known that it takes."""
    if grade is None:
        return None
    if grade.get("evidence_grade") is True:
        return True
    host = grade.get("host") or {}
    offset_s, error_s = grade.get("camera_offset_s"), grade.get("camera_error_s") or 0.0
    off = offset_s is not None and abs(offset_s) + error_s > EVIDENCE_LIMIT_S
    return (
        False if off or host.get("synchronised") is False or (host.get("error_s") or 0.0) > EVIDENCE_LIMIT_S else None
    )


def _cameras(
    index: Index, config: Config, cameras: Sequence[str], period: Period, now_ms: int
) -> tuple[dict[str, CameraFootage], dict[str, str]]:
    since_ms = ledger.cameras(index)
    host = host_clock()
    limits = settings.limits(config)
    tolerance_ms = round(config.recording.continuous * 1000)
    found: dict[str, CameraFootage] = {}
    missing: dict[str, str] = {}
    for camera in cameras:
        if camera not in since_ms:
            missing[camera] = "never_recorded"
            continue
        until_ms = min(round(period.until_s * 1000), ledger.accounted_until(index, camera, now_ms))
        span = Span(max(round(period.from_s * 1000), since_ms[camera]), until_ms)
        if span.to_ms <= span.from_ms:
            missing[camera] = "not_then"
            continue
        found[camera] = replace(
            _camera(index, camera, span, period, now_ms, host),
            achieved_s=achieved_retention_s(index, camera, now_ms, tolerance_ms),
            known_s=since_ms[camera] / 1000,
            floor_s=limits[camera].floor_ms / 1000,
            promised_s=limits[camera].target_ms / 1000,
        )
    return found, missing


def _camera(index: Index, camera: str, span: Span, period: Period, now_ms: int, host: HostClock) -> CameraFootage:
    lost_s: dict[Cause, float] = {}
    days: dict[date, float] = {}
    passed: Counter[bool | None] = Counter()
    recorded_s = 0.0
    for day, whole in reports.days(span, ZoneInfo(period.timezone)):
        part = Span(max(whole.from_ms, span.from_ms), min(whole.to_ms, span.to_ms))
        coverage = ledger.coverage(index, camera, part, now_ms)
        recorded_s += coverage.recorded_ms / 1000
        for gap in coverage.gaps:
            lost_s[gap.cause] = lost_s.get(gap.cause, 0.0) + gap.duration_s
        days[day] = coverage.completeness
        if coverage.recorded_ms:
            passed[clock_passed(clocks.grade_of(index, camera, part, now_ms, host).to_json())] += 1
    return CameraFootage(
        accounted_s=(span.to_ms - span.from_ms) / 1000,
        recorded_s=recorded_s,
        lost_s=lost_s,
        days=days,
        clock_days=dict(passed),
    )


def _audited(journal: Journal, period: Period) -> list[Mapping[str, Any]]:
    """What was taken out or looked at: `action, actor, reason, data` of each line."""
    from_ms, until_ms = period.from_s * 1000, period.until_s * 1000
    return [
        {"action": one.action, "actor": one.actor, "reason": one.reason, "data": one.data}
        for one in journal.entries()
        if from_ms <= one.at_ms < until_ms
    ]
