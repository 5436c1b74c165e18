"""Figures of cameras and recordings: on line, complete, kept long enough, clock right, faults mended in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipelines.recording.coverage import Cause, Span, union
from pipelines.report.counting import Scope
from pipelines.report.facts import CAMERA_FAULTS, PICTURE_FAULTS, Facts
from pipelines.report.footage import OFF_LINE, CameraFootage, clock_passed
from pipelines.report.model import SITE, Count, Figure, Group, Part, Retention, Said, Share, Value
from pipelines.store.inspection import Case

_Notes = tuple[tuple[str, tuple[Said, ...]], ...]


def cameras(facts: Facts, scope: Scope) -> Group:
    """Of the recording volume's ledger, and of the faults that were alarmed."""
    names = list(facts.cameras) if scope.camera == SITE else [scope.camera]
    known = {name: facts.footage.cameras[name] for name in names if name in facts.footage.cameras}
    why = _why(facts, names)
    figures = [
        _recorded(facts, names, known) if scope.camera == SITE else None,
        _ledger("online", _online(list(known.values())), why, _lost(known, OFF_LINE)),
        _good(facts, scope, known, why),
        _ledger("completeness", _complete(list(known.values())), why, _lost(known, tuple(Cause))),
        _retention(facts, known, why),
        _clock(scope, known, why),
        _clock_of_incidents(scope.real()),
        *_faults(facts, scope),
    ]
    return Group("cameras", tuple(one for one in figures if one is not None))


def _why(facts: Facts, names: Sequence[str]) -> str:
    """Why nothing is known, when nothing is."""
    reasons = Counter(facts.footage.missing.get(name, "no_camera") for name in names)
    return reasons.most_common(1)[0][0] if reasons else "no_camera"


def _ledger(key: str, value: Value | None, why: str, notes: _Notes = ()) -> Figure:
    return Figure(key, value, "ledger", "" if value is not None else why, notes=notes if value is not None else ())


def _recorded(facts: Facts, names: Sequence[str], known: dict[str, CameraFootage]) -> Figure:
    configured = [name for name in names if facts.footage.missing.get(name) != "not_recorded"]
    if not known:
        return Figure("recorded", None, "ledger", _why(facts, names))
    value = Share(sum(one.recorded_s > 0 for one in known.values()), len(configured), "cameras")
    lost = [name for name in configured if name not in known or not known[name].recorded_s]
    return Figure(
        "recorded", value, "ledger", notes=tuple(("not_recorded_once", (Said("camera", one),)) for one in lost)
    )


def _online(known: Sequence[CameraFootage]) -> Part | None:
    """A camera shows that it is there by its media, and that it is not by a gap of its own; while we did not look, neither."""
    there_s = sum(one.recorded_s for one in known)
    away_s = sum(one.lost_s.get(cause, 0.0) for one in known for cause in OFF_LINE)
    return Part(there_s, there_s + away_s) if there_s + away_s > 0 else None


def _good(facts: Facts, scope: Scope, known: dict[str, CameraFootage], why: str) -> Figure:
    """Of the recorded time, that in which no fault of the picture was open. Who judges pictures is the worker: while it did
    not run, none was seen."""
    judged = {name: one for name, one in known.items() if set(facts.judged.get(name, ())) & set(PICTURE_FAULTS)}
    if not judged:
        return Figure("good", None, "record", "not_judged" if known else why)
    recorded_s = sum(one.recorded_s for one in judged.values())
    if not recorded_s:
        return Figure("good", None, "record", "not_recorded_then")
    faults = [one for one in scope.real().cases if one.kind in PICTURE_FAULTS and one.camera in judged]
    before = [one for one in facts.earlier if one.kind in PICTURE_FAULTS and one.camera in judged and not one.drill]
    bad_s = 0.0
    for name, one in judged.items():
        spans = union(
            Span(
                round(max(each.first_seen_s, facts.period.from_s) * 1000),
                round(min(ended_s, facts.period.until_s) * 1000),
            )
            for each in (*before, *faults)
            if each.camera == name
            for ended_s in (facts.now_s if each.closed_s is None else each.closed_s,)
        )
        bad_s += min(one.recorded_s, sum(to - start for start, to in spans) / 1000)
    behind = tuple(
        found for found in (scope.behind("picture_faults", faults), scope.behind("from_before", before)) if found.ids
    )
    return Figure("good", Part(recorded_s - bad_s, recorded_s), "record", behind=behind)


def _complete(known: Sequence[CameraFootage]) -> Part | None:
    accounted_s = sum(one.accounted_s for one in known)
    return Part(sum(one.recorded_s for one in known), accounted_s) if accounted_s > 0 else None


def _lost(known: dict[str, CameraFootage], causes: tuple[Cause, ...]) -> _Notes:
    lost_s = {cause: sum(one.lost_s.get(cause, 0.0) for one in known.values()) for cause in causes}
    return tuple(
        ("lost", (Said("cause", cause.value), Said("seconds", seconds)))
        for cause, seconds in sorted(lost_s.items(), key=lambda item: -item[1])
        if seconds >= 0.5
    )


def _retention(facts: Facts, known: dict[str, CameraFootage], why: str) -> Figure:
    """Of the site: that of the camera that is furthest from its promise."""
    if not known:
        return Figure("retention", None, "ledger", why)
    name, least = min(known.items(), key=lambda item: (item[1].achieved_s - item[1].promised_s, item[0]))
    at_s = facts.footage.at_s
    young = least.known_s > at_s - least.promised_s
    value = Retention(least.achieved_s, least.promised_s, least.floor_s, at_s - least.achieved_s, young)
    notes: _Notes = (("retention_of", (Said("camera", name),)),) if len(known) > 1 else ()
    if young:
        notes += (("recorded_since", (Said("moment", least.known_s),)),)
    return Figure("retention", value, "ledger", notes=(*notes, ("as_of", (Said("moment", at_s),))))


def _clock(scope: Scope, known: dict[str, CameraFootage], why: str) -> Figure:
    if not known:
        return Figure("clock", None, "ledger", why)
    days = {
        name: (one.clock_days.get(True, 0), one.clock_days.get(False, 0), one.clock_days.get(None, 0))
        for name, one in known.items()
    }
    judged = {name: one for name, one in days.items() if one[0] + one[1]}
    if not judged:
        return Figure("clock", None, "ledger", "clock_unknown")
    unknown = sum(one[2] for one in days.values())
    notes: _Notes = (("clock_unknown_days", (Said("number", unknown),)),) if unknown else ()
    if scope.camera != SITE:
        passed, failed, _ = judged[scope.camera]
        return Figure("clock", Share(passed, passed + failed, "days"), "ledger", notes=notes)
    right = sum(failed == 0 for _, failed, _ in judged.values())
    return Figure("clock", Share(right, len(judged), "cameras"), "ledger", notes=notes)


def _clock_of_incidents(scope: Scope) -> Figure:
    """How many incidents can be evidence by their clocks."""
    graded = {one.incident_id: clock_passed(one.clock) for one in scope.cases}
    passed, failed, unknown = (
        [one for one in scope.cases if graded[one.incident_id] is wanted] for wanted in (True, False, None)
    )
    behind = tuple(
        scope.behind(role, cases)
        for role, cases in (("passed", passed), ("failed", failed), ("unknown", unknown))
        if cases
    )
    if not passed and not failed:
        why = "no_clock_of_incidents" if scope.cases else "no_incidents"
        return Figure("clock_incidents", None, "record", why, behind=behind)
    return Figure(
        "clock_incidents", Share(len(passed), len(passed) + len(failed), "incidents"), "record", behind=behind
    )


def _faults(facts: Facts, scope: Scope) -> list[Figure]:
    """Faults of cameras that opened in the period; and those that lasted more than a day in it, whenever they opened."""
    if scope.camera != SITE and facts.footage.missing.get(scope.camera) == "not_recorded":
        return [Figure(key, None, "record", "not_recorded") for key in ("faults_restored", "faults_overdue")]
    mine = [one for one in scope.cases if one.kind in CAMERA_FAULTS and not one.drill]
    earlier = [one for one in facts.earlier if scope.camera in (SITE, one.camera) and not one.drill]
    nobody_looked = not facts.footage.cameras if scope.camera == SITE else scope.camera not in facts.footage.cameras
    if not mine and not earlier and nobody_looked:
        why = _why(facts, list(facts.cameras) if scope.camera == SITE else [scope.camera])
        return [Figure(key, None, "record", why) for key in ("faults_restored", "faults_overdue")]

    def lasted_s(one: Case) -> float:
        return (facts.now_s if one.closed_s is None else one.closed_s) - one.first_seen_s

    restored = [one for one in mine if one.closed_s is not None and lasted_s(one) <= facts.fault_s]
    overdue = [one for one in mine if lasted_s(one) > facts.fault_s]
    waiting = [one for one in mine if one.closed_s is None and lasted_s(one) <= facts.fault_s]
    before = [one for one in earlier if lasted_s(one) > facts.fault_s]
    kinds = {one.kind for one in mine}
    asked = scope.asking(kind=next(iter(kinds)), drills=False) if len(kinds) == 1 else None
    behind = tuple(
        scope.behind(role, cases, asked)
        for role, cases in (("restored", restored), ("overdue", overdue), ("still_running", waiting))
        if cases
    )
    late = [one for one in (scope.behind("overdue", overdue, asked), scope.behind("from_before", before)) if one.ids]
    return [
        Figure(
            "faults_restored", Share(len(restored), len(restored) + len(overdue), "faults"), "record", behind=behind
        ),
        Figure("faults_overdue", Count(len(overdue) + len(before), "faults"), "record", behind=tuple(late)),
    ]
