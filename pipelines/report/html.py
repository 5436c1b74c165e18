"""The sheet as one HTML file that needs nothing else: readable on a screen, printable on A4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.report import charts
from pipelines.report.model import Chapter, Sheet
from pipelines.report.spoken import Speaker, SpokenFigure
from pipelines.wording import Language

#: So many incidents are listed in the file; the history has them all.
MOST_CASES: Final = 2000
#: So many numbers stand behind one figure.
MOST_BEHIND: Final = 300
#: At a glance, and in the table of cameras.
TILES: Final = (
    "online",
    "completeness",
    "retention",
    "clock",
    "incidents",
    "acknowledged",
    "faults_restored",
    "drills_made",
)
COLUMNS: Final = (
    "online",
    "completeness",
    "retention",
    "clock",
    "incidents",
    "acknowledged",
    "acknowledge",
    "faults_restored",
)


def html(sheet: Sheet, language: Language, base: str) -> str:
    """The whole page. `base`: the console's address, before `/history`."""
    speaker = Speaker(sheet, language, base)
    listed = sorted(sheet.cases.values(), key=lambda one: (one.opened_s, one.incident_id))[-MOST_CASES:]
    numbers = {one.incident_id: at + 1 for at, one in enumerate(listed)}
    name, dates = speaker.period()
    environment = Environment(
        loader=PackageLoader("pipelines.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values: dict[str, Any] = {
        "t": speaker.text,
        "language": language,
        "sheet": sheet,
        "base": speaker.base,
        "period": name,
        "dates": dates,
        "made": speaker.text("made", time=speaker.moment(sheet.made_s), timezone=sheet.period.timezone),
        "version": speaker.text("made_by", version=sheet.version),
        "tiles": _chosen(sheet.whole, TILES, speaker),
        "columns": [(key, speaker.text(f"figure.{key}")) for key in COLUMNS],
        "compared": [(one, _chosen(one, COLUMNS, speaker)) for one in sheet.chapters[1:]],
        "charts": [
            (speaker.text(key), Markup(drawn))  # every text in it is escaped where it is drawn
            for key, drawn in (
                ("by_day", charts.by_day(sheet, speaker)),
                ("by_hour", charts.by_hour(sheet, speaker)),
                ("recorded_days", charts.recorded(sheet, speaker)),
            )
            if drawn
        ],
        "chapters": [_chapter(one, speaker) for one in sheet.chapters],
        "numbers": numbers,
        "most_behind": MOST_BEHIND,
        "rows": [(numbers[one.incident_id], speaker.row(one), speaker.of_incident(one.incident_id)) for one in listed],
        "more": len(sheet.cases) - len(listed),
        "how": speaker.how(),
    }
    return environment.get_template("report.html").render(values)


def _chosen(chapter: Chapter, keys: Sequence[str], speaker: Speaker) -> list[SpokenFigure]:
    return [speaker.figure(found) for key in keys if (found := chapter.figure(key)) is not None]


def _chapter(chapter: Chapter, speaker: Speaker) -> Mapping[str, Any]:
    return {
        "camera": chapter.camera,
        "name": chapter.name,
        "groups": [
            (speaker.text(f"group.{group.key}"), [speaker.figure(one) for one in group.figures])
            for group in chapter.groups
        ],
    }
