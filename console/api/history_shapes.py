"""What the figures of the history look like. `filter` beside a figure are the query parameters that, put over those in
`asked`, list the incidents behind it."""

from __future__ import annotations

from typing import Any

from console.api.shapes import Shape

Filter = dict[str, str | int | float | bool]


class Bucket(Shape):
    """How many incidents, and how to list them."""

    incidents: int
    filter: Filter


class HourCell(Bucket):
    """`weekday` 1 is Monday; `hour` 0..23; both on the site's clock."""

    weekday: int
    hour: int


class DayBucket(Bucket):
    """A date on the site's clock, and when it begins and ends. Days without incidents are there too."""

    day: str
    since_s: float
    until_s: float
    by_kind: dict[str, int]


class CameraBucket(Bucket):
    camera: str
    name: str
    by_kind: dict[str, int]


class KindBucket(Bucket):
    kind: str


class LevelBucket(Bucket):
    level: int


class ZoneBucket(Bucket):
    camera: str
    name: str
    zone: str


class VerdictBucket(Bucket):
    """`verdict` none: not judged."""

    verdict: str


class Delay(Shape):
    """Seconds. `histogram` counts those of at most each of `Delays.up_to_s`; the last one counts all longer ones."""

    count: int
    median_s: float
    p95_s: float


class WholeDelay(Delay):
    histogram: list[int]


class LevelDelay(Delay):
    level: int
    filter: Filter


class KindDelay(Delay):
    kind: str
    filter: Filter


class CameraDelay(Delay):
    camera: str
    name: str
    filter: Filter


class Delays(Shape):
    """From the moment the dispatcher had the incident. `all` null: it never happened."""

    up_to_s: list[float]
    all: WholeDelay | None
    by_level: list[LevelDelay]
    by_kind: list[KindDelay]
    by_camera: list[CameraDelay]


class Answers(Shape):
    """Incidents of which somebody was told; that were acknowledged; where somebody went; that were closed."""

    told: int
    acknowledge: int
    on_site: int
    close: int


class AllDelays(Shape):
    acknowledge: Delays
    on_site: Delays
    close: Delays


class Precision(Shape):
    """Of a rule on a camera; `camera` null: of a kind on all cameras. `low`, `high`: Wilson's 95 % interval. `precision`
    null: nobody judged any. `filter` lists what was judged false."""

    kind: str
    camera: str | None
    name: str | None
    rule: str | None
    true: int
    false: int
    other: int
    unjudged: int
    precision: float | None
    low: float | None
    high: float | None
    filter: Filter


class RepeatPlace(Bucket):
    camera: str
    name: str
    zone: str
    kind: str
    rule: str
    days: int


class RepeatPlate(Shape):
    """`plate` as people typed it, in capitals and without blanks."""

    plate: str
    incidents: int
    cameras: list[str]


class DensityPlace(Shape):
    """`above`: density (people/m2) -> minutes at or above it."""

    camera: str
    name: str
    zone: str
    known: float
    above: dict[str, float]
    filter: Filter


class DensityMinutes(Shape):
    """Minutes. `basis` says what can be known."""

    basis: str
    unit: str
    known: float
    above: dict[str, float]
    by_place: list[DensityPlace]


class Stats(Shape):
    """`asked`: the query parameters again, drills left out unless they were asked for."""

    asked: Filter
    timezone: str
    incidents: int
    open: int
    first_day: str | None
    last_day: str | None
    by_hour_and_weekday: list[HourCell]
    by_day: list[DayBucket]
    by_camera: list[CameraBucket]
    by_kind: list[KindBucket]
    by_level: list[LevelBucket]
    by_zone: list[ZoneBucket]
    by_verdict: list[VerdictBucket]
    answers: Answers
    delays: AllDelays
    precision: list[Precision]
    repeat_places: list[RepeatPlace]
    repeat_plates: list[RepeatPlate]
    density_minutes: DensityMinutes


def linked(figures: dict[str, Any], asked: dict[str, Any], days: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """What `pipelines.history.stats.stats` gave, as `Stats`. `days`: when each date of `by_day` begins and ends."""
    names = {row["camera"]: row["name"] for row in figures["by_camera"]}
    week = figures["by_hour_and_weekday"]
    by_kind = figures["by_day_of_kind"]

    def bucket(count: int, **where: Any) -> dict[str, Any]:
        return where | {"incidents": count, "filter": where}

    def inside(day: str) -> dict[str, float]:
        # A day at the edge of what was asked for is only partly in it.
        since_s, until_s = days[day]
        return {
            "since_s": max(since_s, asked.get("since_s", since_s)),
            "until_s": min(until_s, asked.get("until_s", until_s)),
        }

    return figures | {
        "asked": asked,
        "by_hour_and_weekday": [
            bucket(week[day][hour], weekday=day + 1, hour=hour) for day in range(7) for hour in range(24)
        ],
        "by_day": [
            {
                "day": day,
                "incidents": count,
                "by_kind": {kind: found[day] for kind, found in by_kind.items() if day in found},
                "since_s": days[day][0],
                "until_s": days[day][1],
                "filter": inside(day),
            }
            for day, count in figures["by_day"].items()
        ],
        "by_camera": [
            row | {"by_kind": figures["by_camera_and_kind"][row["camera"]], "filter": {"camera": row["camera"]}}
            for row in figures["by_camera"]
        ],
        "by_kind": [bucket(count, kind=kind) for kind, count in figures["by_kind"].items()],
        "by_level": [bucket(count, level=int(level)) for level, count in figures["by_level"].items()],
        "by_zone": [
            row
            | {
                "name": names.get(row["camera"], row["camera"]),
                "filter": {"camera": row["camera"], "zone": row["zone"]},
            }
            for row in figures["by_zone"]
        ],
        "by_verdict": [bucket(count, verdict=verdict) for verdict, count in figures["by_verdict"].items()],
        "delays": {name: _delays(found, names) for name, found in figures["delays"].items()},
        "precision": [row | {"filter": _judged(row)} for row in figures["precision"]],
        "repeat_places": [
            row | {"filter": {name: row[name] for name in ("camera", "zone", "kind", "rule")}}
            for row in figures["repeat_places"]
        ],
        "density_minutes": figures["density_minutes"]
        | {
            "by_place": [
                row | {"filter": {"camera": row["camera"], "zone": row["zone"], "kind": "crowding"}}
                for row in figures["density_minutes"]["by_place"]
            ]
        },
    }


def _delays(found: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    whole = found["all"]
    return {
        "up_to_s": found["up_to_s"],
        "all": None if whole is None else whole | {"histogram": found["histogram"]},
        "by_level": [
            one | {"level": int(level), "filter": {"level": int(level)}} for level, one in found["by_level"].items()
        ],
        "by_kind": [one | {"kind": kind, "filter": {"kind": kind}} for kind, one in found["by_kind"].items()],
        "by_camera": [
            one | {"camera": camera, "name": names.get(camera, camera), "filter": {"camera": camera}}
            for camera, one in found["by_camera"].items()
        ],
    }


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    where = {name: row[name] for name in ("kind", "camera", "rule") if row[name] is not None}
    return where | {"verdict": "false"}
