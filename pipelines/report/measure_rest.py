"""Figures of repetition, crowds, who took footage out, drills; and the duties that Gatewatch measures nothing of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.report.counting import Scope, spread
from pipelines.report.facts import Crowds, Facts
from pipelines.report.model import SITE, Above, Count, Figure, Group, Said, Share
from pipelines.store.inspection import Case, Line

#: So many of the most frequent are listed.
_MOST: Final = 10
#: Lines of the audit that say that somebody saw pictures or footage.
VIEWS: Final = ("footage.view", "clip.view", "picture.view", "view.live", "view.wall")


def repetition(facts: Facts, scope: Scope) -> Group:
    """The same vehicle, the same place."""
    real = scope.real()
    return Group("repetition", (_vehicles(real), _places(facts, real)))


def _vehicles(scope: Scope) -> Figure:
    """By the plates that people typed: no camera of ours reads one. Plates are shown with their middle hidden."""
    parking = [one for one in scope.cases if one.kind == "illegal_parking" or one.plate]
    if not parking:
        return Figure("repeat_vehicles", None, "record", "no_parking")
    typed: dict[str, list[Case]] = defaultdict(list)
    for one in parking:
        if one.plate:
            typed[one.plate].append(one)
    if not typed:
        return Figure("repeat_vehicles", None, "record", "no_plates")
    again = sorted(((plate, cases) for plate, cases in typed.items() if len(cases) > 1), key=lambda it: -len(it[1]))
    behind = [scope.behind("", cases, of=(Said("text", masked(plate)),)) for plate, cases in again[:_MOST]]
    known = scope.behind("with_plate", [one for one in parking if one.plate])
    unknown = scope.behind("without_plate", [one for one in parking if not one.plate])
    rest = tuple(one for one in (known, unknown) if one.ids)
    return Figure("repeat_vehicles", Count(len(again), "vehicles"), "record", behind=(*behind, *rest))


def masked(plate: str) -> str:
    """`京A12345` -> `京A···45`: who knows the plate finds it again, nobody else."""
    return plate if len(plate) < 5 else f"{plate[:2]}···{plate[-2:]}"


def _places(facts: Facts, scope: Scope) -> Figure:
    """A camera's zone with incidents of one kind on more than one day."""
    zone = ZoneInfo(facts.period.timezone)
    there: dict[tuple[str, str, str], list[Case]] = defaultdict(list)
    for one in scope.cases:
        if one.zone:
            there[one.camera, one.zone, one.kind].append(one)
    if not scope.cases:
        return Figure("repeat_places", None, "record", "no_incidents")

    def days(cases: Sequence[Case]) -> int:
        return len({datetime.fromtimestamp(one.opened_s, zone).date() for one in cases})

    again = sorted(
        ((place, cases) for place, cases in there.items() if days(cases) > 1), key=lambda it: (-len(it[1]), it[0])
    )
    behind = []
    for (camera, name, kind), cases in again[:_MOST]:
        of = (Said("zone", name), Said("kind", kind), Said("days", days(cases)))
        asked = scope.asking(camera=camera, zone=name, kind=kind)
        behind.append(scope.behind("", cases, asked, (Said("camera", camera), *of) if scope.camera == SITE else of))
    return Figure("repeat_places", Count(len(again), "places"), "record", behind=tuple(behind))


def crowds(facts: Facts, scope: Scope) -> Group:
    """How long it was how dense."""
    names = list(facts.cameras) if scope.camera == SITE else [scope.camera]
    real = scope.real()
    found = [facts.crowds[name] for name in names if name in facts.crowds]
    behind = real.chosen("crowding", kind="crowding")
    known_min = sum(one.known_min for one in found)
    if known_min:
        value = Above(known_min, _added(found))
        return Group("crowds", (Figure("density", value, "record", behind=(behind,) if behind.ids else ()),))
    watched = [name for name in names if name in facts.crowd_rules]
    why = "no_crowd_rule" if not watched else "no_crowd"
    if watched and not any(facts.crowd_rules[name] for name in watched):
        why = "no_ground"
    return Group("crowds", (Figure("density", None, "record", why, behind=(behind,) if behind.ids else ()),))


def _added(found: Sequence[Crowds]) -> tuple[tuple[float, float], ...]:
    above: dict[float, float] = defaultdict(float)
    for one in found:
        for limit, minutes in one.above_min:
            above[limit] += minutes
    return tuple(sorted(above.items()))


def access(facts: Facts, scope: Scope) -> Group:
    """Who took footage and data out, and who looked."""
    figures = [_footage_out(facts, scope.camera)]
    if scope.camera != SITE:
        return Group("access", (*figures, _views(facts, scope.camera)))
    if facts.partial:
        figures += [Figure(key, None, "audit", "whole_site_only") for key in ("exports_data", "refusals")]
    else:
        data = [one for one in facts.audit if one.action in ("export", "report.made")]
        by = {name: sum(one.action == name for one in data) for name in ("export", "report.made")}
        notes = tuple(
            (f"did_{name.replace('.', '_')}", (Said("number", count),)) for name, count in by.items() if count
        )
        figures.append(Figure("exports_data", Count(len(data), "exports"), "audit", notes=notes))
        refused = sum(one.action == "export.refused" for one in facts.audit)
        figures.append(Figure("refusals", Count(refused, "exports"), "audit"))
    return Group("access", (*figures, _views(facts, SITE)))


def _footage_out(facts: Facts, camera: str) -> Figure:
    lines = facts.footage.out
    if lines is None:
        return Figure("exports_footage", None, "journal", "no_volume")
    mine = [
        one
        for one in lines
        if one["action"] == "export" and _of_camera(str(one["data"].get("camera", "")), camera, facts)
    ]
    kinds: Mapping[str, int] = {
        kind: sum(_export_kind(one["data"]) == kind for one in mine) for kind in ("evidence", "blurred", "cut")
    }
    notes = tuple((f"export_{kind}", (Said("number", count),)) for kind, count in kinds.items() if count)
    return Figure("exports_footage", Count(len(mine), "exports"), "journal", notes=notes)


def _export_kind(data: Mapping[str, Any]) -> str:
    kind = data.get("kind")
    return str(kind) if kind in ("evidence", "blurred") else "cut"


def _of_camera(name: str, camera: str, facts: Facts) -> bool:
    return name == camera if camera != SITE else not facts.partial or name in facts.cameras


def _views(facts: Facts, camera: str) -> Figure:
    def where(one: Line) -> str:
        return one.camera or one.subject.removeprefix("camera ")

    mine = [one for one in facts.audit if one.action in VIEWS and _of_camera(where(one), camera, facts)]
    people = len({one.who for one in mine})
    notes = (("by_people", (Said("number", people),)),) if mine else ()
    return Figure("views", Count(len(mine), "views"), "audit", notes=notes)


def drills(facts: Facts, scope: Scope) -> Group:
    """Whether the chain of alerts was tried, and held. Of the site as a whole."""
    if facts.drills is None:
        why = "whole_site_only" if facts.partial else "no_drills"
        return Group("drills", tuple(Figure(key, None, "record", why) for key in _DRILLS))
    failed = scope.chosen("all", kind="drill_failed", drills=False)
    alarm = Figure("drills_failed", Count(len(failed.ids), "alarms"), "record", behind=(failed,) if failed.ids else ())
    if not facts.drills:
        return Group("drills", (*(Figure(key, None, "record", "none_drilled") for key in _DRILLS[:3]), alarm))
    made = [one for one in facts.drills if one.made]
    whole = [one for one in made if one.sent and one.arrived == one.sent]
    by_id = {one.incident_id: one for one in scope.cases}

    def behind(role: str, ones: Sequence[Any], asked: bool = False) -> Any:
        cases = [by_id[one.incident_id] for one in ones if one.incident_id in by_id]
        found = scope.behind(role, cases, scope.asking(kind="drill") if asked else None)
        return (found,) if found.ids else ()

    absent = tuple(("absent", (Said("moment", one.start_s),)) for one in facts.drills if not one.made)
    lost = [one for one in made if one not in whole]
    delays = spread([one.slowest_s for one in made if one.slowest_s is not None])
    return Group(
        "drills",
        (
            Figure(
                "drills_made",
                Share(len(made), len(facts.drills), "drills"),
                "record",
                behind=behind("all", made, True),
                notes=absent,
            ),
            Figure("drills_arrived", None, "record", "none_drilled")
            if not made
            else Figure(
                "drills_arrived",
                Share(len(whole), len(made), "drills"),
                "record",
                behind=(*behind("arrived", whole), *behind("lost", lost)),
            ),
            Figure("drills_delay", delays, "record", "" if delays else "none_drilled"),
            alarm,
        ),
    )


_DRILLS: Final = ("drills_made", "drills_arrived", "drills_delay", "drills_failed")


def duties(_facts: Facts, _scope: Scope) -> Group:
    """What an inspection asks and nothing here measures: it is said, not left out."""
    return Group(
        "duties",
        (
            Figure("guard_post", None, "none", "no_guard_rule"),
            Figure("rounds", None, "none", "rounds_not_kept"),
            Figure("rectifications", None, "none", "orders_not_kept"),
        ),
    )
