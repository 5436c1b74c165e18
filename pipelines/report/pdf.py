"""The sheet as a PDF for printing and filing: the figures, then the incidents behind each of them, then how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pipelines.report import fonts
from pipelines.report.html import COLUMNS, TILES
from pipelines.report.model import Sheet
from pipelines.report.pages import BAD, BLUE, CHINESE, DIM, INK, Line, Pages
from pipelines.report.spoken import Speaker, SpokenFigure
from pipelines.wording import Language

#: Beyond this nobody reads the appendix on paper; the workbook has them, and the history.
MOST_CASES: Final = 1000
MOST_BEHIND: Final = 200


def pdf(sheet: Sheet, language: Language, base: str) -> bytes:
    """The whole file. Raises BadInput: no font is installed that has the characters."""
    speaker = Speaker(sheet, language, base)
    said = [sheet.site, *sheet.names.values(), *(one.zone for one in sheet.cases.values())]
    font = fonts.find(language == "zh-CN" or bool(CHINESE.search("".join(said))))
    title = f"{sheet.site} · {speaker.text('title')} · {sheet.period.title}"
    pages = Pages(font, title, datetime.fromtimestamp(sheet.made_s, UTC), speaker.text("page", page="{page}"))
    _Paper(pages, sheet, speaker).write()
    return pages.content()


class _Paper:
    """Lists behind figures have a number in brackets, `[7]`, under which the appendix names the incidents."""

    def __init__(self, pages: Pages, sheet: Sheet, speaker: Speaker) -> None:
        self._pages, self._sheet, self._speaker = pages, sheet, speaker
        ordered = sorted(sheet.cases.values(), key=lambda one: (one.opened_s, one.incident_id))[-MOST_CASES:]
        self._cases = ordered
        self._numbers = {one.incident_id: at for at, one in enumerate(ordered, 1)}
        self._lists: list[tuple[str, tuple[str, ...]]] = []

    def write(self) -> None:
        self._head()
        self._tiles()
        self._compared()
        self._figures()
        self._appendix()

    def _head(self) -> None:
        speaker, text, pages = self._speaker, self._speaker.text, self._pages
        name, dates = speaker.period()
        pages.lines([Line(text("title"), 18, bold=True), Line(self._sheet.site, 12, bold=True)])
        pages.lines([Line(f"{name}  {dates}", 10, bold=True)])
        flags = [text("period.running")] if self._sheet.period.running else []
        flags += [text("partial")] if self._sheet.partial else []
        pages.lines([Line(flag, 9, BAD, bold=True) for flag in flags])
        made = text("made", time=speaker.moment(self._sheet.made_s), timezone=self._sheet.period.timezone)
        links = text("links_go_to", base=speaker.base)
        pages.lines([Line(f"{made}  {text('made_by', version=self._sheet.version)}  {links}", 8, DIM)])
        pages.lines([Line(text("privacy"), 8, DIM)])

    def _chosen(self, at: int, keys: Sequence[str]) -> list[SpokenFigure]:
        chapter = self._sheet.chapters[at]
        return [self._speaker.figure(found) for key in keys if (found := chapter.figure(key)) is not None]

    def _tiles(self) -> None:
        self._pages.heading(self._speaker.text("summary"))
        tiles = [
            [
                Line(one.label, 8, DIM),
                Line(one.main, 14, _ink(one), bold=one.tone != "none"),
                Line(one.detail, 7.5, DIM),
            ]
            for one in self._chosen(0, TILES)
        ]
        for begin in range(0, len(tiles), 4):
            self._pages.row(tiles[begin : begin + 4], (1, 1, 1, 1), boxed=True)

    def _compared(self) -> None:
        text = self._speaker.text
        if len(self._sheet.chapters) < 2:
            return
        self._pages.heading(text("cameras_compared"))
        weights = (1.5, *(1 for _ in COLUMNS))
        labels = [text("camera"), *(text(f"figure.{key}") for key in COLUMNS)]
        heads = [[Line(label, 7, DIM, bold=True)] for label in labels]
        self._pages.row(heads, weights, head=True)
        for at, chapter in enumerate(self._sheet.chapters[1:], 1):
            cells = [[Line(chapter.name, 8, bold=True)]]
            cells += [[Line(one.main, 8, _ink(one))] for one in self._chosen(at, COLUMNS)]
            self._pages.row(cells, weights, repeat=heads)

    def _figures(self) -> None:
        text = self._speaker.text
        weights = (3, 4, 3.6)
        heads = [[Line(text(key), 7.5, DIM, bold=True)] for key in ("figure", "value", "behind")]
        for chapter in self._sheet.chapters:
            who = chapter.name if chapter.camera else text("site")
            self._pages.heading(who)
            self._pages.row(heads, weights, head=True)
            for group in chapter.groups:
                self._pages.row([[Line(text(f"group.{group.key}"), 9, BLUE, bold=True)]], (1,), keep=18.0)
                for figure in group.figures:
                    spoken = self._speaker.figure(figure)
                    self._pages.row(self._cells(who, spoken, figure.key.endswith("_of")), weights, repeat=heads)

    def _cells(self, who: str, spoken: SpokenFigure, below: bool) -> list[list[Line]]:
        label = Line(f"    {spoken.label}" if below else spoken.label, 8.5, DIM if below else INK)
        value = Line(spoken.main, 9, _ink(spoken), bold=spoken.tone != "none", then=spoken.detail)
        notes = [Line(note, 7.5, DIM) for note in spoken.notes]
        behind = []
        for each in spoken.behind:
            self._lists.append((f"{who} · {spoken.label} · {each.label}", each.ids))
            words = f"{each.label} {len(each.ids)}  [{len(self._lists)}]"
            behind.append(Line(words, 8, BLUE if each.href else INK, link=each.href))
        return [[label], [value, *notes], behind]

    def _appendix(self) -> None:
        speaker, text, pages = self._speaker, self._speaker.text, self._pages
        pages.heading(text("appendix_incidents"), new_page=True)
        if not self._cases:
            pages.lines([Line(text("no_incidents_listed"), 9)])
        columns = ("number", "opened", "camera", "kind", "zone", "level", "verdict", "answered", "id")
        weights = (0.6, 2.1, 1.6, 1.8, 1.3, 1.4, 1.1, 1.2, 2.9)
        heads = [[Line(text(key), 7, DIM, bold=True)] for key in columns]
        if self._cases:
            pages.row(heads, weights, head=True)
        for number, one in enumerate(self._cases, 1):
            row = speaker.row(one)
            cells = [[Line(str(number), 7)], *([Line(row[key], 7)] for key in columns[1:-1])]
            cells.append([Line(row["id"], 6.5, BLUE, link=speaker.of_incident(one.incident_id))])
            pages.row(cells, weights, repeat=heads)
        if (more := len(self._sheet.cases) - len(self._cases)) > 0:
            pages.lines([Line(text("more_incidents", count=more), 8, BAD)])
        pages.heading(text("lists"))
        for number, (label, ids) in enumerate(self._lists, 1):
            there = [str(self._numbers[one]) for one in ids if one in self._numbers][:MOST_BEHIND]
            rest = len(ids) - len(there)
            words = ", ".join(there) + (f"; {text('more_incidents', count=rest)}" if rest else "")
            pages.lines([Line(f"[{number}] {label}{text('colon')}", 7.5, DIM, then=words)])
        pages.heading(text("appendix_how"))
        for name, words, source in speaker.how():
            pages.row([[Line(name, 8)], [Line(words, 8, DIM)], [Line(source, 8, DIM)]], (2.2, 6, 1.6))


def _ink(spoken: SpokenFigure) -> Any:
    return {"bad": BAD, "none": DIM}.get(spoken.tone, INK)
