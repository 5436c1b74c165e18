"""How long each camera's footage is kept: camera -> owner -> jurisdiction profile -> the site's own defaults.

Profiles hold the floors that we found in the law's text or reported (docs/footage.md); they are settings, not advice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.errors import BadInput
from pipelines.recording.retention import Limits

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """Wishes of one level, in seconds; None leaves it to the next level."""

    floor_s: float | None = None
    keep_s: float | None = None
    keep_incidents_s: float | None = None
    ceiling_s: float | None = None


#: Built in; a profile of the same name in the configuration replaces it.
PROFILES: Final[Mapping[str, Keeping]] = {
    # State Council Decree 799, Art. 17: at least 30 days.
    "cn-799": Keeping(floor_s=30 * _DAY_S),
    # Anti-Terrorism Law, Art. 32: at least 90 days at designated key targets.
    "cn-counter-terror": Keeping(floor_s=90 * _DAY_S, keep_s=90 * _DAY_S),
    # Reported for kindergartens in some places.
    "cn-kindergarten": Keeping(floor_s=90 * _DAY_S, keep_s=90 * _DAY_S),
    "none": Keeping(floor_s=0.0),
}


def resolve(camera: str, levels: list[Keeping]) -> Limits:
    """The first level that says something wins, but of all floors the highest counts: a law's floor is not lowered by a
    wish. Raises BadInput when floor, keep and ceiling contradict each other."""

    def first(name: str) -> float | None:
        return next((value for level in levels if (value := getattr(level, name)) is not None), None)

    floor_s = max((level.floor_s for level in levels if level.floor_s is not None), default=0.0)
    keep_s = first("keep_s")
    keep_s = max(floor_s, 30 * _DAY_S) if keep_s is None else keep_s
    incidents_s = first("keep_incidents_s")
    incidents_s = keep_s if incidents_s is None else incidents_s
    ceiling_s = first("ceiling_s")
    ceiling_s = max(keep_s, incidents_s) if ceiling_s is None else ceiling_s
    incidents_s = max(incidents_s, keep_s)
    if keep_s < floor_s:
        raise BadInput(
            f"camera {camera}: keep ({_days(keep_s)}) is below the floor ({_days(floor_s)}); raise keep, or set another"
            " recording.profile"
        )
    if max(keep_s, incidents_s) > ceiling_s:
        longest = "keep" if keep_s > ceiling_s else "keep_incidents"
        raise BadInput(
            f"camera {camera}: {longest} ({_days(max(keep_s, incidents_s))}) is above the ceiling ({_days(ceiling_s)})"
        )
    return Limits(round(floor_s * 1000), round(keep_s * 1000), round(incidents_s * 1000), round(ceiling_s * 1000))


def _days(seconds: float) -> str:
    return f"{seconds / _DAY_S:g} d"
