"""The figures of a time: counts by hour and weekday, camera and kind; how fast people answered; how often a rule was right;
where it happens again; how long a crowd was how dense.

A pure function of what the store gives, for the command line, the report and the console alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from pipelines.history.sums import DELAYS, Sums, calendar_days, quantiles, quantiles_by
from pipelines.store.columns import DENSITIES, Columns, Group

#: Two-sided, 95 %.
_Z: Final = 1.959963984540054
_MOST_PLACES: Final = 50
DENSITY_BASIS: Final = (
    "Known only while a crowding incident was open, from the density that its messages told (on a rise, and at most every "
    "`repeat`), each standing until the next. What no incident was open for is not in it."
)


def stats(portions: Iterable[Columns], timezone: str, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Add up what `pipelines.store.history.stream` gives. `names` are shown beside cameras. Plain JSON values:

    `incidents, open, first_day, last_day, timezone`; `by_hour_and_weekday` (7 rows from Monday, 24 columns, local clock) and
    the same `by_kind`; `by_day` (date -> count, no day left out); `by_camera, by_kind, by_level, by_zone, by_verdict`;
    `answers` (how many were told, acknowledged, ...); `delays` -> name -> `all` and `by_level, by_kind, by_camera` ->
    `count, median_s, p95_s`; `precision` (per rule and camera: `true, false, other, precision, low, high`); `repeat_places`;
    `repeat_plates`; `density_minutes`.
    """
    sums = Sums(timezone)
    for columns in portions:
        sums.add(columns)
    shown = names or {}
    days = sorted(sums.days)
    total = sum(sums.groups.values())
    return {
        "incidents": total,
        "open": sums.still_open,
        "timezone": timezone,
        "first_day": days[0] if days else None,
        "last_day": days[-1] if days else None,
        "by_hour_and_weekday": sum(sums.hours.values(), np.zeros((7, 24), np.int64)).tolist(),
        "by_hour_and_weekday_of_kind": {kind: counts.tolist() for kind, counts in sorted(sums.hours.items())},
        "by_day": {day: sums.days[day] for day in calendar_days(days[0], days[-1])} if days else {},
        "by_camera": [
            {"camera": camera, "name": shown.get(camera, camera), "incidents": count}
            for camera, count in _most(_counted(sums, lambda group: group.camera))
        ],
        "by_kind": dict(_most(_counted(sums, lambda group: group.kind))),
        "by_level": {
            str(level): count for level, count in sorted(_counted(sums, lambda group: group.severity).items())
        },
        "by_zone": [
            {"camera": camera, "zone": zone, "incidents": count}
            for (camera, zone), count in _most(_counted(sums, lambda group: (group.camera, group.zone)))
        ],
        "by_verdict": dict(_most(_counted(sums, lambda group: group.verdict or "none"))),
        "answers": {name: sums.answers[name] for name in ("told", *DELAYS)},
        "delays": {name: _delays(sums, name) for name in DELAYS},
        "precision": precision(sums.groups, shown),
        "repeat_places": _places(sums, shown),
        "repeat_plates": [
            {"plate": plate, "incidents": count, "cameras": sorted(sums.plate_cameras[plate])}
            for plate, count in _most(sums.plates)[:_MOST_PLACES]
            if count > 1
        ],
        "density_minutes": _densities(sums, shown),
    }


def wilson(successes: int, tries: int) -> tuple[float, float]:
    """The interval in which the true share lies with 95 % (Wilson's score interval). (0, 1) when nothing was tried."""
    if tries == 0:
        return 0.0, 1.0
    share, square = successes / tries, _Z * _Z
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    half = _Z / (1 + square / tries) * math.sqrt(share * (1 - share) / tries + square / (4 * tries * tries))
    return max(0.0, middle - half), min(1.0, middle + half)


def precision(groups: Mapping[Group, int], names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """How often each rule was right where people judged it, on each camera and (`camera` None) on all: only `true` and
    `false` count; `other` are drills, duplicates and unsure ones, `unjudged` has none. Drills are never counted."""
    found: dict[tuple[str, str | None, str], Counter[str]] = {}
    for group, count in groups.items():
        if group.drill:
            continue
        word = {None: "unjudged", "true": "true", "false": "false"}.get(group.verdict, "other")
        for camera in (group.camera, None):
            # A rule's name holds its zone, and zones are named alike on many cameras: over all, a kind is what compares.
            rule = group.rule if camera is not None else group.kind
            found.setdefault((group.kind, camera, rule), Counter())[word] += count
    rows = []
    for (kind, camera, rule), words in sorted(
        found.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][2])
    ):
        judged = words["true"] + words["false"]
        low, high = wilson(words["true"], judged)
        rows.append(
            {
                "kind": kind,
                "camera": camera,
                "name": None if camera is None else (names or {}).get(camera, camera),
                "rule": None if camera is None else rule,
                **{word: words[word] for word in ("true", "false", "other", "unjudged")},
                "precision": round(words["true"] / judged, 4) if judged else None,
                "low": round(low, 4) if judged else None,
                "high": round(high, 4) if judged else None,
            }
        )
    return rows


def _counted(sums: Sums, key: Any) -> Counter[Any]:
    counted: Counter[Any] = Counter()
    for group, count in sums.groups.items():
        counted[key(group)] += count
    return counted


def _most(counted: Mapping[Any, int]) -> list[tuple[Any, int]]:
    """Most first; the same number in the order of the names, so that two runs say the same."""
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _delays(sums: Sums, name: str) -> dict[str, Any]:
    parts = sums.delays[name]
    if not parts:
        return {"all": None, "by_level": {}, "by_kind": {}, "by_camera": {}}
    seconds = np.concatenate([part for part, _ in parts])
    whose = np.concatenate([part for _, part in parts])
    order = np.argsort(seconds)
    seconds, whose = seconds[order], whose[order]
    found: dict[str, Any] = {"all": quantiles(seconds)}
    for title, field in (("by_level", "severity"), ("by_kind", "kind"), ("by_camera", "camera")):
        values = sorted({getattr(group, field) for group in sums.order})
        code = np.array([values.index(getattr(group, field)) for group in sums.order])
        found[title] = {str(key): value for key, value in quantiles_by(seconds, code[whose], values).items()}
    return found


def _places(sums: Sums, names: Mapping[str, str]) -> list[dict[str, Any]]:
    counted = _counted(sums, lambda group: (group.camera, group.zone, group.kind))
    rows: list[dict[str, Any]] = [
        {
            "camera": place.camera,
            "name": names.get(place.camera, place.camera),
            "zone": place.zone,
            "kind": place.kind,
            "incidents": counted[place],
            "days": len(days),
        }
        for place, days in sums.place_days.items()
        if len(days) > 1
    ]
    rows.sort(key=lambda row: (-row["incidents"], row["camera"], row["zone"], row["kind"]))
    return rows[:_MOST_PLACES]


def _densities(sums: Sums, names: Mapping[str, str]) -> dict[str, Any]:
    def minutes(known_s: float, above_s: Any) -> dict[str, Any]:
        above = {str(limit): round(float(sum_s) / 60, 2) for limit, sum_s in zip(DENSITIES, above_s, strict=True)}
        return {"known": round(known_s / 60, 2), "above": above}

    total = sum(sums.above_s.values(), np.zeros(len(DENSITIES)))
    places = sorted(sums.known_s, key=lambda place: (-float(sums.above_s[place][0]), place))
    return {
        "basis": DENSITY_BASIS,
        "unit": "people/m2",
        **minutes(sum(sums.known_s.values()), total),
        "by_place": [
            {"camera": camera, "name": names.get(camera, camera), "zone": zone}
            | minutes(sums.known_s[camera, zone], sums.above_s[camera, zone])
            for camera, zone in places
        ],
    }
