"""What a sheet consists of. Plain values, no words: both languages and every format are made from the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pipelines.report.period import Period
from pipelines.store.inspection import Case
from pipelines.store.queries import IncidentFilter

#: The whole site in the place of a camera.
SITE: Final = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of a label that is said in words only when the language is known: `what` is `camera`, `zone`, `kind`, `level`,
    `cause`, `moment`, `seconds`, `days`, `number` or `text`."""

    what: str
    value: Any


@dataclass(frozen=True, slots=True)
class Count:
    """So many; `unit` is a word."""

    number: int
    unit: str


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`, both counted in `unit`. Nothing to count (`whole` 0) is a finding of its own, not a zero."""

    part: int
    whole: int
    unit: str


@dataclass(frozen=True, slots=True)
class Part:
    """`part_s` of `whole_s` seconds."""

    part_s: float
    whole_s: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How long it took, `count` times."""

    count: int
    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Retention:
    """Everything since `oldest_s` can be replayed, `achieved_s` at the time of the report. `young`: recording began too late
    for the promise to be due."""

    achieved_s: float
    promised_s: float
    floor_s: float
    oldest_s: float
    young: bool


@dataclass(frozen=True, slots=True)
class Precision:
    """Of what people judged. The interval is Wilson's, 95 %."""

    true: int
    false: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Above:
    """Minutes of a known density, and how many of them it was at least each limit (people per square metre)."""

    known_min: float
    above_min: tuple[tuple[float, float], ...]


Value = Count | Share | Part | Spread | Retention | Precision | Above


@dataclass(frozen=True, slots=True)
class Behind:
    """Incidents behind a figure. `role` is a word, or empty where `of` says it all. `query` asks the history for exactly these
    (checked against them when it is made); None: no filter of the history can."""

    role: str
    ids: tuple[str, ...]
    query: IncidentFilter | None
    of: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """`key` names it, `of` which of several it is. `value` None: not measured, and `why` is the word for the reason.
    `notes`: words with what they speak of. `source`: where it comes from, a word."""

    key: str
    value: Value | None
    source: str
    why: str = ""
    of: tuple[Said, ...] = ()
    behind: tuple[Behind, ...] = ()
    notes: tuple[tuple[str, tuple[Said, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Figures under one heading, a word."""

    key: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The figures of one camera, or of the site (`camera` is SITE)."""

    camera: str
    name: str
    groups: tuple[Group, ...]

    def figure(self, key: str) -> Figure | None:
        """The first of that key."""
        return next((one for group in self.groups for one in group.figures if one.key == key), None)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All of a report. `cases`: every incident that stands behind a figure. `by_day`: local date -> kind -> incidents;
    `week`: seven rows from Monday, 24 hours. `recorded`: camera -> local date -> completeness. `partial`: only the cameras
    that the one who asked may see."""

    site: str
    period: Period
    made_s: float
    version: str
    chapters: tuple[Chapter, ...]
    cases: Mapping[str, Case]
    names: Mapping[str, str]
    by_day: Mapping[date, Mapping[str, int]]
    week: tuple[tuple[int, ...], ...]
    recorded: Mapping[str, Mapping[date, float]]
    partial: bool = False

    @property
    def whole(self) -> Chapter:
        return self.chapters[0]
