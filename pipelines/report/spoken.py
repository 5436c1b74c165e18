"""The sheet in words of one language: what HTML, spreadsheet and PDF have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pipelines.alerting.vocabulary import duration
from pipelines.report.facts import NO_CAMERA
from pipelines.report.model import (
    Above,
    Behind,
    Count,
    Figure,
    Part,
    Precision,
    Retention,
    Said,
    Share,
    Sheet,
    Spread,
    Value,
)
from pipelines.report.words import text
from pipelines.store.inspection import Case
from pipelines.store.queries import IncidentFilter
from pipelines.wording import Language, word

#: The console's page of the history; its parameters are those of `GET /api/v1/incidents`.
HISTORY: Final = "/history"


@dataclass(frozen=True, slots=True)
class SpokenBehind:
    """`href` asks the history for exactly `ids`; None: no filter of it can."""

    label: str
    ids: tuple[str, ...]
    href: str | None


@dataclass(frozen=True, slots=True)
class SpokenFigure:
    """`main` is what is read first; of one that is not measured it says so, and `detail` why. `tone`: `bad` where a duty is
    not met, `none` where nothing was measured or there was nothing to, else empty."""

    key: str
    label: str
    main: str
    detail: str
    tone: str
    source: str
    notes: tuple[str, ...]
    behind: tuple[SpokenBehind, ...]


class Speaker:
    """Says the pieces of `sheet` in `language`. `base`: the console's address before `/history`, or empty."""

    def __init__(self, sheet: Sheet, language: Language, base: str) -> None:
        self.sheet = sheet
        self.language: Language = language
        self.base = base.rstrip("/")
        self._zone = ZoneInfo(sheet.period.timezone)

    def text(self, key: str, **values: object) -> str:
        return text(self.language, key, **values)

    def figure(self, one: Figure) -> SpokenFigure:
        label = self.text(f"figure.{one.key}")
        if one.of:
            label = " · ".join(self.said(piece) for piece in one.of)
        if one.value is None:
            main, detail, tone = self.text("missing"), self.text(f"why.{one.why}"), "none"
        else:
            main, detail = self._value(one.value)
            tone = _tone(one)
        notes = tuple(self._note(key, pieces) for key, pieces in one.notes)
        behind = tuple(self.behind(each) for each in one.behind)
        return SpokenFigure(one.key, label, main, detail, tone, self.text(f"source.{one.source}"), notes, behind)

    def behind(self, one: Behind) -> SpokenBehind:
        label = self.text(f"role.{one.role}") if one.role else " · ".join(self.said(piece) for piece in one.of)
        return SpokenBehind(label, one.ids, None if one.query is None else self.asked(one.query))

    def asked(self, query: IncidentFilter) -> str:
        """The history's page with the filter."""
        return f"{self.base}{HISTORY}?{urlencode(parameters(query))}"

    def of_incident(self, incident_id: str) -> str:
        """The history's page with one incident, opened."""
        return f"{self.base}{HISTORY}?{urlencode({'text': incident_id, 'incident': incident_id})}"

    def said(self, piece: Said) -> str:
        """A camera by its name, a kind in words, a moment on the site's clock, ..."""
        value = piece.value
        match piece.what:
            case "camera":
                return self.camera(str(value))
            case "kind":
                return word(self.language, f"kind.{value}")
            case "level":
                return word(self.language, f"severity.{value}")
            case "cause":
                return self.text(f"cause.{value}")
            case "moment":
                return self.moment(float(value))
            case "seconds":
                return self.seconds(float(value))
            case "days":
                return self.text("say.days", number=value)
        return str(value)

    def camera(self, name: str) -> str:
        return self.text("site") if name in NO_CAMERA else self.sheet.names.get(name, name)

    def moment(self, time_s: float | None) -> str:
        """`2026-11-16 08:00:00` on the site's clock."""
        return "" if time_s is None else f"{datetime.fromtimestamp(time_s, self._zone):%Y-%m-%d %H:%M:%S}"

    def seconds(self, seconds: float) -> str:
        """`3 min 20 s`; short ones with a tenth."""
        if 0 < seconds < 10 and round(seconds, 1) != round(seconds):
            return f"{seconds:.1f}{'秒' if self.language == 'zh-CN' else ' s'}"
        return duration(self.language, seconds)

    def period(self) -> tuple[str, str]:
        """`week 47 of 2026`, and its first and last day."""
        period = self.sheet.period
        dates = f"{period.first.isoformat()} {self.text('to')} {period.last.isoformat()}"
        if not period.named:
            return self.text("period.cut"), dates
        year, week, _ = period.first.isocalendar()
        if period.kind == "month":
            year = period.first.year
        month = self.text("months").split()[period.first.month - 1]
        name = self.text(f"period.{period.kind}", year=year, week=week, month=period.first.month, month_name=month)
        return name, dates

    def row(self, case: Case) -> Mapping[str, str]:
        """An incident for the appendix."""
        since_s = case.told_s if case.told_s is not None else case.begun_s
        answered = "" if case.acknowledged_s is None or since_s is None else self.seconds(case.acknowledged_s - since_s)
        return {
            "opened": self.moment(case.opened_s),
            "closed": self.moment(case.closed_s),
            "camera": self.camera(case.camera),
            "kind": word(self.language, f"kind.{case.kind}"),
            "zone": case.zone,
            "level": word(self.language, f"severity.{case.severity}"),
            "verdict": self.text(f"role.verdict_{case.verdict}"),
            "answered": answered,
            "id": case.incident_id,
        }

    def how(self) -> list[tuple[str, str, str]]:
        """Each sort of figure once: its name, how it is made, where from."""
        chapters = self.sheet.chapters
        seen = {one.key: one for chapter in chapters for group in chapter.groups for one in group.figures}
        return [
            (self.text(f"figure.{key}"), self.text(f"how.{key}"), self.text(f"source.{one.source}"))
            for key, one in seen.items()
            if not key.endswith("_of")
        ]

    def _note(self, key: str, pieces: tuple[Said, ...]) -> str:
        return self.text(f"note.{key}", **{piece.what: self.said(piece) for piece in pieces})

    def _unit(self, number: int, unit: str) -> str:
        return self.text(f"unit.{unit}" if number == 1 or self.language == "zh-CN" else f"units.{unit}")

    def _counted(self, number: int, unit: str) -> str:
        return f"{number}{'' if self.language == 'zh-CN' else ' '}{self._unit(number, unit)}"

    def _value(self, value: Value) -> tuple[str, str]:
        match value:
            case Count(number, unit):
                return str(number), self._unit(number, unit)
            case Share(part, whole, unit):
                if whole == 0:
                    return self.text("none_happened"), ""
                said = self.text("say.share", part=part, whole=whole, unit=self._unit(whole, unit))
                return percent(part / whole), said
            case Part(part_s, whole_s):
                said = self.text("say.part", part=self.seconds(part_s), whole=self.seconds(whole_s))
                return percent(part_s / whole_s), said
            case Spread(count, median_s, p95_s):
                return self.seconds(median_s), self.text("say.spread", p95=self.seconds(p95_s), count=count)
            case Retention():
                key = f"say.retention_{standing(value)}"
                promised, floor = self.seconds(value.promised_s), self.seconds(value.floor_s)
                return self.seconds(value.achieved_s), self.text(key, promised=promised, floor=floor)
            case Precision(true, false, low, high):
                bounds = {"low": f"{100 * low:.0f}", "high": f"{100 * high:.0f}"}
                said = self.text("say.precision", true=true, false=false, **bounds)
                return percent(true / (true + false)), said
            case Above(known_min, above):
                limits = [self.text("say.above", limit=f"{limit:g}", minutes=_minutes(one)) for limit, one in above]
                joined = ("；" if self.language == "zh-CN" else "; ").join(limits)
                return joined, self.text("say.known", minutes=_minutes(known_min))


def parameters(query: IncidentFilter) -> dict[str, Any]:
    """A filter as the parameters of `GET /api/v1/incidents`: only what was asked."""
    names = (
        *("since_s", "until_s", "camera", "zone", "kind", "rule", "severity", "level", "state", "verdict"),
        *("weekday", "hour", "text"),
    )
    found: dict[str, Any] = {name: value for name in names if (value := getattr(query, name)) is not None}
    for name in ("since_s", "until_s"):
        if name in found:
            found[name] = f"{found[name]:.3f}".rstrip("0").rstrip(".")
    return found if query.drills else found | {"drills": "false"}


def percent(share: float) -> str:
    """Never rounded up to a hundred, nor down to nothing: 99.996 % stays below 100."""
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    text_ = f"{100 * share:.1f}" if share < 0.995 else f"{100 * share:.2f}"
    return {"100.00": "> 99.99 %", "0.0": "< 0.1 %"}.get(text_, f"{text_} %")


def standing(value: Retention) -> str:
    """Whether what was promised is reached: `ok`, `young`, `short`, or `below` what the law asks for."""
    # An hour of grace: retention deletes what is older, so what is there is never longer than the promise.
    if value.achieved_s >= value.promised_s - 3600:
        return "ok"
    if value.young:
        return "young"
    return "below" if value.achieved_s < value.floor_s - 3600 else "short"


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f}".removesuffix(".0")


def _tone(one: Figure) -> str:
    """Bad only where a duty is plainly missed; what is good enough is for the inspector."""
    match one.value:
        case Share(_, 0):
            return "none"
        case Retention() as value:
            return "bad" if standing(value) in ("short", "below") else ""
        case Count(number) if number and one.key in (
            "faults_overdue",
            "unreached",
            "unreached_alarms",
            "drills_failed",
        ):
            return "bad"
        case Share(part, whole) if part < whole and one.key in ("clock", "drills_made", "drills_arrived", "recorded"):
            return "bad"
    return ""
