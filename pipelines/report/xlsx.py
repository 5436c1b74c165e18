"""The sheet as a workbook: the figures as numbers, and the incidents behind each of them on a sheet of their own."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any, Final

from pipelines.errors import BadInput
from pipelines.report.model import Count, Figure, Part, Precision, Retention, Share, Sheet, Spread, Value
from pipelines.report.spoken import Speaker, SpokenBehind, SpokenFigure
from pipelines.wording import Language

#: Excel opens no sheet with more links (65,530), nor one with more rows than a million; a list this long is read by nobody.
MOST_ROWS: Final = 50_000
_COLUMNS: Final = ("opened", "closed", "camera", "kind", "zone", "level", "verdict", "answered")
_WIDE: Final = {
    "opened": 19,
    "closed": 19,
    "camera": 22,
    "kind": 22,
    "zone": 16,
    "level": 16,
    "verdict": 11,
    "answered": 14,
}


def xlsx(sheet: Sheet, language: Language, base: str) -> bytes:
    """The whole workbook. Raises BadInput: the package XlsxWriter is missing."""
    try:
        from xlsxwriter import Workbook
    except ModuleNotFoundError as error:
        raise BadInput(
            "a workbook needs the package XlsxWriter: pip install 'gatewatch[analysis]', or ask for html"
        ) from error
    out = io.BytesIO()
    # Made in memory: a half-written file never lies anywhere.
    book = Workbook(out, {"in_memory": True})
    book.set_properties(
        {"title": sheet.site, "comments": sheet.version, "created": datetime.fromtimestamp(sheet.made_s, UTC)}
    )
    _Book(book, sheet, Speaker(sheet, language, base)).write()
    book.close()
    return out.getvalue()


class _Book:
    """Text goes in as text, whatever it looks like: nothing in a name becomes a formula."""

    def __init__(self, book: Any, sheet: Sheet, speaker: Speaker) -> None:
        self._sheet, self._speaker, self._book = sheet, speaker, book
        styles: dict[str, dict[str, Any]] = {
            "plain": {"text_wrap": True},
            "title": {"bold": True, "font_size": 15},
            "head": {"bold": True, "bottom": 1, "text_wrap": True},
            "group": {"bold": True, "font_color": "#2f6690"},
            "site": {"bold": True, "bg_color": "#e9edf0"},
            "bad": {"bold": True, "font_color": "#a8323a", "text_wrap": True},
            "strong": {"bold": True, "text_wrap": True},
            "none": {"font_color": "#5b6670", "text_wrap": True},
            "link": {"font_color": "#2f6690", "underline": 1},
            "percent": {"num_format": "0.00%"},
            "number": {"num_format": "General"},
        }
        self._formats = {
            name: book.add_format({"valign": "top", "font_size": 11} | style) for name, style in styles.items()
        }

    def write(self) -> None:
        text = self._speaker.text
        figures = self._book.add_worksheet(text("sheet.figures"))
        self._behind = self._book.add_worksheet(text("sheet.behind"))
        cases = self._book.add_worksheet(text("sheet.cases"))
        how = self._book.add_worksheet(text("sheet.how"))
        self._begin_behind()
        self._figures(figures)
        self._end_behind()
        self._cases(cases)
        self._how(how)

    def _figures(self, page: Any) -> None:
        speaker, text = self._speaker, self._speaker.text
        name, dates = speaker.period()
        self._text(page, 0, 0, f"{self._sheet.site} · {text('title')}", "title")
        running = f" · {text('period.running')}" if self._sheet.period.running else ""
        self._text(page, 1, 0, f"{name} · {dates}{running}", "strong", wrap=False)
        made = text("made", time=speaker.moment(self._sheet.made_s), timezone=self._sheet.period.timezone)
        self._text(page, 2, 0, f"{made} · {text('made_by', version=self._sheet.version)}", "none", wrap=False)
        if self._sheet.partial:
            self._text(page, 3, 0, text("partial"), "bad", wrap=False)
        heads = ("camera", "figure", "value", "detail", "as_number", "unit", "notes", "behind")
        for column, (key, wide) in enumerate(zip(heads, (22, 30, 16, 36, 12, 10, 36, 22), strict=True)):
            page.set_column(column, column, wide)
            self._text(page, 4, column, text(key), "head")
        page.set_column(len(heads), len(heads) + 12, 22)
        page.freeze_panes(5, 2)
        row = 5
        for chapter in self._sheet.chapters:
            who = chapter.name if chapter.camera else text("site")
            for group in chapter.groups:
                self._text(page, row, 0, who, "site")
                self._text(page, row, 1, text(f"group.{group.key}"), "group")
                row += 1
                for figure in group.figures:
                    self._figure(page, row, who, figure)
                    row += 1

    def _figure(self, page: Any, row: int, who: str, figure: Figure) -> None:
        spoken = self._speaker.figure(figure)
        self._text(page, row, 0, who, "none")
        self._text(page, row, 1, f"    {spoken.label}" if figure.key.endswith("_of") else spoken.label, "plain")
        self._text(page, row, 2, spoken.main, spoken.tone or "strong")
        self._text(page, row, 3, spoken.detail, "none")
        number, unit, style = _number(figure.value)
        if number is not None:
            page.write_number(row, 4, number, self._formats[style])
            self._text(
                page, row, 5, self._speaker.text(f"units.{unit}") if unit not in ("", "s", "%") else unit, "none"
            )
        self._text(page, row, 6, "; ".join(spoken.notes), "none")
        for column, each in enumerate(spoken.behind, 7):
            place = self._list(who, spoken, each)
            said = f"{each.label} {len(each.ids)}"
            href = each.href or place
            if href is None:
                self._text(page, row, column, said, "plain")
            else:
                page.write_url(row, column, href, self._formats["link"], said)

    def _begin_behind(self) -> None:
        text = self._speaker.text
        heads = [text(key) for key in ("scope", "figure", "role", *_COLUMNS, "id")]
        for column, head in enumerate(heads):
            self._text(self._behind, 0, column, head, "head")
        wide = (22, 30, 18, *(_WIDE[key] for key in _COLUMNS), 40)
        for column, width in enumerate(wide):
            self._behind.set_column(column, column, width)
        self._behind.freeze_panes(1, 3)
        self._row, self._left_out = 1, 0

    def _list(self, who: str, figure: SpokenFigure, behind: SpokenBehind) -> str | None:
        """Write the incidents behind; returns a link to the first of them, None when there was no room."""
        begins = self._row
        for incident_id in behind.ids:
            if self._row > MOST_ROWS:
                self._left_out += 1
                continue
            for column, words in enumerate((who, figure.label, behind.label)):
                self._text(self._behind, self._row, column, words, "plain", wrap=False)
            self._case(self._behind, self._row, 3, incident_id)
            self._row += 1
        name = self._speaker.text("sheet.behind")
        return f"internal:'{name}'!A{begins + 1}" if self._row > begins else None

    def _end_behind(self) -> None:
        self._behind.autofilter(0, 0, max(1, self._row - 1), 3 + len(_COLUMNS))
        if self._left_out:
            said = self._speaker.text("more_rows", count=self._left_out)
            self._text(self._behind, self._row, 0, said, "bad", wrap=False)

    def _case(self, page: Any, row: int, column: int, incident_id: str) -> None:
        case = self._speaker.row(self._sheet.cases[incident_id])
        for after, key in enumerate(_COLUMNS):
            self._text(page, row, column + after, case[key], "plain", wrap=False)
        href = self._speaker.of_incident(incident_id)
        page.write_url(row, column + len(_COLUMNS), href, self._formats["link"], incident_id)

    def _cases(self, page: Any) -> None:
        for column, key in enumerate((*_COLUMNS, "id")):
            self._text(page, 0, column, self._speaker.text(key), "head")
            page.set_column(column, column, _WIDE.get(key, 40))
        page.freeze_panes(1, 0)
        ordered = sorted(self._sheet.cases.values(), key=lambda one: (one.opened_s, one.incident_id))
        for row, one in enumerate(ordered[-MOST_ROWS:], 1):
            self._case(page, row, 0, one.incident_id)
        page.autofilter(0, 0, max(1, min(len(ordered), MOST_ROWS)), len(_COLUMNS))
        if len(ordered) > MOST_ROWS:
            said = self._speaker.text("more_rows", count=len(ordered) - MOST_ROWS)
            self._text(page, MOST_ROWS + 1, 0, said, "bad", wrap=False)

    def _how(self, page: Any) -> None:
        for column, (key, wide) in enumerate((("figure", 30), ("notes", 100), ("source", 24))):
            page.set_column(column, column, wide)
            self._text(page, 0, column, self._speaker.text(key), "head")
        for row, words in enumerate(self._speaker.how(), 1):
            for column, said in enumerate(words):
                self._text(page, row, column, said, "plain")

    def _text(self, page: Any, row: int, column: int, words: str, style: str, *, wrap: bool = True) -> None:
        page.write_string(row, column, words, self._formats[style] if wrap else None)


def _number(value: Value | None) -> tuple[float | None, str, str]:
    """A figure as one number with its unit, so that a workbook can reckon with it: shares as parts of one, times in seconds."""
    match value:
        case Count(number, unit):
            return number, unit, "number"
        case Share(part, whole) if whole:
            return part / whole, "%", "percent"
        case Part(part_s, whole_s):
            return part_s / whole_s, "%", "percent"
        case Spread(_, median_s):
            return median_s, "s", "number"
        case Retention(achieved_s):
            return achieved_s, "s", "number"
        case Precision(true, false):
            return true / (true + false), "%", "percent"
    return None, "", ""
