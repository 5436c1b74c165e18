"""The figures of a time: counts by hour and weekday, camera and kind; how fast people answered; how often a rule was right;
where it happens again; how long a crowd was how dense.

A pure function of what the store gives, for the command line, the report and the console alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from pipelines.history.sums import DELAYS, LEVELS, Sums, quantiles, quantiles_by
from pipelines.store.columns import DENSITIES, Columns, Place

#: Two-sided, 95 %.
_Z: Final = 1.959963984540054
_MOST_PLACES: Final = 50
#: Upper ends of the answer times' histogram, seconds; the limits of levels 1 to 3 are among them.
UP_TO_S: Final = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
DENSITY_BASIS: Final = (
    "Known only while a crowding incident was open, from the density that its messages told (on a rise, and at most every "
    "`repeat`), each standing until the next. What no incident was open for is not in it."
)


def stats(
    portions: Iterable[Columns], timezone: str, names: Callable[[list[str]], Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """Add up what `pipelines.store.history.stream` gives. `names` gives the
    names that are shown beside cameras. Plain JSON values:

    `incidents, open, first_day, last_day, timezone`; `by_hour_and_weekday` (7 rows from Monday, 24 columns, local clock) and
    the same `_of_kind`; `by_day` (date -> count, no day left out) and `by_day_of_kind` (without empty ones); `by_camera, by_kind,
    by_level, by_zone, by_verdict`, `by_camera_and_kind`; `answers` (how many were told, acknowledged, ...); `delays` -> name ->
    `all` and `by_level, by_kind, by_camera` -> `count, median_s, p95_s`, and `histogram`: how many took up to each of
    `up_to_s`, and longer; `precision` (per rule and camera: `true, false, other, precision, low, high`); `repeat_places`;
    `repeat_plates`; `density_minutes`.
    """
    sums = Sums(timezone)
    for columns in portions:
        sums.add(columns)
    shown = names(sorted({place.camera for place in sums.places})) if names is not None else {}
    by_day: Counter[str] = sum(sums.days_of_kind.values(), Counter())
    days = sorted(by_day)
    by_place = sums.by_place()
    return {
        "incidents": int(sums.cells.sum()),
        "open": sums.still_open,
        "timezone": timezone,
        "first_day": days[0] if days else None,
        "last_day": days[-1] if days else None,
        "by_hour_and_weekday": sum(sums.hours.values(), np.zeros((7, 24), np.int64)).tolist(),
        "by_hour_and_weekday_of_kind": {kind: counts.tolist() for kind, counts in sorted(sums.hours.items())},
        "by_day": {day: by_day[day] for day in _calendar_days(days[0], days[-1])} if days else {},
        "by_day_of_kind": {
            kind: dict(sorted(counts.items())) for kind, counts in sorted(sums.days_of_kind.items()) if counts
        },
        "by_camera": [
            {"camera": camera, "name": shown.get(camera, camera), "incidents": count}
            for camera, count in _most(_counted(sums, by_place, lambda place: place.camera))
        ],
        "by_kind": dict(_most(_counted(sums, by_place, lambda place: place.kind))),
        "by_camera_and_kind": _by_camera_and_kind(sums, by_place),
        "by_level": {str(level): int(count) for level, count in enumerate(sums.cells.sum(axis=(0, 2, 3))) if count},
        "by_zone": [
            {"camera": camera, "zone": zone, "incidents": count}
            for (camera, zone), count in _most(_counted(sums, by_place, lambda place: (place.camera, place.zone)))
        ],
        "by_verdict": dict(
            _most({word: count for word, at in sums.words.items() if (count := int(sums.cells[..., at].sum()))})
        ),
        "answers": {name: sums.answers[name] for name in ("told", *DELAYS)},
        "delays": {name: _delays(sums, name) for name in DELAYS},
        "precision": _precision(sums, shown),
        "repeat_places": _places(sums, shown),
        "repeat_plates": [
            {"plate": plate, "incidents": count, "cameras": sorted(sums.plate_cameras[plate])}
            for plate, count in _most(sums.plates)[:_MOST_PLACES]
            if count > 1
        ],
        "density_minutes": _densities(sums, shown),
    }


def _calendar_days(first: str, last: str) -> list[str]:
    """Every date from `first` to `last`, both included."""
    at, until = date.fromisoformat(first), date.fromisoformat(last)
    return [(at + timedelta(days=number)).isoformat() for number in range((until - at).days + 1)]


def wilson(successes: int, tries: int) -> tuple[float, float]:
    """The interval in which the true share lies with 95 % (Wilson's score interval). (0, 1) when nothing was tried."""
    if tries == 0:
        return 0.0, 1.0
    share, square = successes / tries, _Z * _Z
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    half = _Z / (1 + square / tries) * math.sqrt(share * (1 - share) / tries + square / (4 * tries * tries))
    return max(0.0, middle - half), min(1.0, middle + half)


def _precision(sums: Sums, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """How often each rule was right where people judged it, on each camera, and each kind (`camera` None) on all: only `true`
    and `false` count; `other` are drills, duplicates and unsure ones, `unjudged` has none. Marked drills are left out."""
    counted = sums.cells[:, :, 0, :].sum(axis=1)
    found: dict[tuple[str, str, str], Counter[str]] = {}
    for place, row in zip(sums.places, counted.tolist(), strict=True):
        # A rule's name holds its zone, and zones are named alike on many cameras: over all, only a kind compares.
        for key in ((place.kind, place.camera, place.rule), (place.kind, "", "")):
            words = found.setdefault(key, Counter())
            for word, at in sums.words.items():
                words[{"none": "unjudged", "true": "true", "false": "false"}.get(word, "other")] += row[at]
    rows = []
    for (kind, camera, rule), words in sorted(found.items()):
        judged = words["true"] + words["false"]
        low, high = wilson(words["true"], judged)
        if not words.total():
            continue
        rows.append(
            {
                "kind": kind,
                "camera": camera or None,
                "name": names.get(camera, camera) or None,
                "rule": rule or None,
                **{word: words[word] for word in ("true", "false", "other", "unjudged")},
                "precision": round(words["true"] / judged, 4) if judged else None,
                "low": round(low, 4) if judged else None,
                "high": round(high, 4) if judged else None,
            }
        )
    return rows


def _counted(sums: Sums, by_place: Any, key: Callable[[Place], Any]) -> dict[Any, int]:
    counted: dict[Any, int] = {}
    for place, count in zip(sums.places, by_place.tolist(), strict=True):
        if count:
            counted[key(place)] = counted.get(key(place), 0) + count
    return counted


def _by_camera_and_kind(sums: Sums, by_place: Any) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (camera, kind), count in _most(_counted(sums, by_place, lambda place: (place.camera, place.kind))):
        found.setdefault(camera, {})[kind] = count
    return found


def _most(counted: Mapping[Any, int]) -> list[tuple[Any, int]]:
    """Most first; the same number in the order of the names, so that two runs say the same."""
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _delays(sums: Sums, name: str) -> dict[str, Any]:
    parts = sums.delays[name]
    found: dict[str, Any] = {"all": None, "up_to_s": list(UP_TO_S), "histogram": [0] * (len(UP_TO_S) + 1)}
    if not parts:
        return found | {"by_level": {}, "by_kind": {}, "by_camera": {}}
    seconds = np.concatenate([part for part, _ in parts])
    whose = np.concatenate([part for _, part in parts])
    ascending = np.sort(seconds)
    found["all"] = quantiles(ascending)
    up_to = np.searchsorted(ascending, UP_TO_S, side="right")
    found["histogram"] = np.diff(up_to, prepend=0, append=len(ascending)).tolist()
    for title, values, code in (
        ("by_level", list(range(LEVELS)), whose % LEVELS),
        ("by_kind", *_coded(sums, whose, lambda place: place.kind)),
        ("by_camera", *_coded(sums, whose, lambda place: place.camera)),
    ):
        found[title] = {str(key): value for key, value in quantiles_by(seconds, code, values).items()}
    return found


def _coded(sums: Sums, whose: Any, key: Callable[[Place], str]) -> tuple[list[str], Any]:
    values = sorted({key(place) for place in sums.places})
    number = {value: at for at, value in enumerate(values)}
    return values, np.array([number[key(place)] for place in sums.places])[whose // LEVELS]


def _places(sums: Sums, names: Mapping[str, str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "camera": place.camera,
            "name": names.get(place.camera, place.camera),
            "zone": place.zone,
            "kind": place.kind,
            "rule": place.rule,
            "incidents": count,
            "days": days,
        }
        for place, count, days in zip(
            sums.places, sums.by_place().tolist(), sums.days_of_places().tolist(), strict=True
        )
        if days > 1
    ]
    rows.sort(key=lambda row: (-row["incidents"], row["camera"], row["zone"], row["rule"]))
    return rows[:_MOST_PLACES]


def _densities(sums: Sums, names: Mapping[str, str]) -> dict[str, Any]:
    def minutes(sums_s: Any) -> dict[str, Any]:
        known_s, *above_s = sums_s.tolist()
        above = {str(limit): round(sum_s / 60, 2) for limit, sum_s in zip(DENSITIES, above_s, strict=True)}
        return {"known": round(known_s / 60, 2), "above": above}

    total = sum(sums.crowd_s.values(), np.zeros(1 + len(DENSITIES)))
    places = sorted(sums.crowd_s, key=lambda place: (-float(sums.crowd_s[place][1]), place))
    return {
        "basis": DENSITY_BASIS,
        "unit": "people/m2",
        **minutes(total),
        "by_place": [
            {"camera": camera, "name": names.get(camera, camera), "zone": zone} | minutes(sums.crowd_s[camera, zone])
            for camera, zone in places
        ],
    }
