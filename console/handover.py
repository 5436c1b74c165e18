"""The sheet that one shift hands to the next: put together from the record, the recorder and the processes, as plain values.

What is put together is stored as it is: later events do not change a sheet that was signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from console import processes
from console.parts import Parts
from pipelines.alerting.duty import Staff, edges_s
from pipelines.alerting.policy import policy_of
from pipelines.config.schema import Config
from pipelines.errors import BadInput, Unavailable
from pipelines.store import shift

#: Of what the sheet's values mean; a page that shows sheets knows all that there ever were.
VERSION: Final = 1
LONGEST_S: Final = 7 * 86_400.0
_BACK_S: Final = 2 * 86_400.0
#: Without rosters, what is offered.
_USUAL_S: Final = 8 * 3600.0
_STALE_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Shift:
    """`people`: who was on duty, as the configuration calls them; nobody: there is no roster, or a hole in it."""

    from_s: float
    until_s: float
    people: tuple[str, ...]


def shifts(config: Config, now_s: float) -> list[Shift]:
    """Those that ended lately or have begun, by the rosters, the newest first. The one that goes on ends now."""
    if not config.rosters:
        return [Shift(now_s - _USUAL_S, now_s, ())]
    staff = policy_of(config, ()).staff
    edges = sorted(set(_edges(staff, now_s - _BACK_S, now_s)) | {now_s - _BACK_S, now_s})
    found: list[Shift] = []
    for begin_s, end_s in pairwise(edges):
        people = on_duty(config, (begin_s + end_s) / 2)
        if found and found[-1].people == people:
            found[-1] = Shift(found[-1].from_s, end_s, people)
        else:
            found.append(Shift(begin_s, end_s, people))
    # The first is cut off at an arbitrary moment.
    return [one for one in found[1:] if one.people][::-1] or [Shift(now_s - _USUAL_S, now_s, ())]


def on_duty(config: Config, at_s: float) -> tuple[str, ...]:
    """Everybody whom a roster names at that moment, each once."""
    staff = policy_of(config, ()).staff
    names = (name for roster in staff.rosters.values() for name in roster.on_duty(at_s))
    return tuple(dict.fromkeys(staff.people[name].called or name if name in staff.people else name for name in names))


def _edges(staff: Staff, from_s: float, until_s: float) -> Iterator[float]:
    for roster in staff.rosters.values():
        for one in roster.shifts:
            yield from edges_s(one.schedule, from_s, until_s)


def check_span(from_s: float, until_s: float, now_s: float) -> None:
    """Raises BadInput: not a span that a sheet can be about."""
    if not from_s < until_s <= now_s + 60.0:
        raise BadInput("a shift ends after it begins, and not in the future")
    if until_s - from_s > LONGEST_S:
        raise BadInput(f"a sheet is about at most {LONGEST_S / 86_400:.0f} days")


def sheet(parts: Parts, from_s: float, until_s: float, cameras: frozenset[str] | None) -> dict[str, Any]:
    """Everything on the sheet, as plain JSON values; `cameras` None: the whole site. Raises Unavailable, BadInput."""
    now_s = parts.clock.now_s()
    check_span(from_s, until_s, now_s)
    with parts.database.read() as connection:
        found = {
            "counts": shift.counts(connection, from_s, until_s, cameras),
            "grave": shift.grave(connection, from_s, until_s, cameras),
            "open": shift.unanswered(connection, cameras),
            "missed": shift.missed(connection, from_s, until_s, cameras),
            "snoozes": shift.snoozed(connection, from_s, until_s, cameras),
            "dead": shift.dead(connection, from_s, until_s, cameras),
        }
    names = {
        name: camera.name or name for name, camera in parts.config.cameras.items() if cameras is None or name in cameras
    }
    return found | {
        "version": VERSION,
        "made_s": now_s,
        "site": parts.config.site.name,
        "timezone": parts.config.site.timezone,
        "cameras": names,
        "on_duty": list(on_duty(parts.config, (from_s + until_s) / 2)),
        "next": list(on_duty(parts.config, until_s + 1.0)),
        "faults": _faults(parts, names, from_s, until_s),
    }


def _faults(parts: Parts, names: dict[str, str], from_s: float, until_s: float) -> list[dict[str, Any]]:
    """Cameras without a fresh picture at this moment (`age_s`; null: never one, or nobody knows), or with seconds of the
    shift that are not recorded (`gaps_s` by cause; null: nobody knows)."""
    now_s = parts.clock.now_s()
    rows = processes.cameras(processes.ask_all(parts.config), now_s, names.items())
    found = []
    for row in rows:
        gaps_s = _gaps(parts, row["camera"], from_s, min(until_s, now_s))
        if row["age_s"] is None or row["age_s"] > _STALE_S or gaps_s is None or gaps_s:
            found.append({"camera": row["camera"], "name": row["name"], "age_s": row["age_s"], "gaps_s": gaps_s})
    return found


def _gaps(parts: Parts, camera: str, from_s: float, until_s: float) -> dict[str, float] | None:
    try:
        gaps = parts.footage().coverage(camera, from_s, until_s).gaps
    except Unavailable:
        return None
    sums: dict[str, float] = {}
    for gap in gaps:
        sums[gap.cause.value] = round(sums.get(gap.cause.value, 0.0) + gap.duration_s, 1)
    # What is under way is not on the disk yet: the newest seconds are always missing.
    return {cause: seconds for cause, seconds in sums.items() if seconds >= _STALE_S}
