"""Lines and rows on A4 pages. A row is never torn apart by the end of a page; what stood at its head stands there again."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, WrapMode, XPos, YPos

from pipelines.report.fonts import Font

Ink = tuple[int, int, int]
INK: Final[Ink] = (29, 39, 48)
DIM: Final[Ink] = (91, 102, 112)
BLUE: Final[Ink] = (47, 102, 144)
BAD: Final[Ink] = (168, 50, 58)
CHINESE: Final = re.compile("[\u2e80-\u9fff\uff00-\uffef]")
_LINE: Final[Ink] = (221, 226, 231)
_FAMILY: Final = "sheet"
_MARGIN: Final = 13.0
#: Millimetres of a line for each point of its type.
_HIGH: Final = 0.5
_PAD: Final = 1.1
_GAP: Final = 1.6


@dataclass(frozen=True, slots=True)
class Line:
    """Words that wrap as one. `then` follows them, smaller and dim."""

    words: str
    size: float
    ink: Ink = INK
    bold: bool = False
    link: str | None = None
    then: str = ""


class _Document(FPDF):
    """With the page's number at its foot."""

    number = "{page}"

    def footer(self) -> None:
        self.set_y(-10)
        self.set_font(_FAMILY, "", 7)
        self.set_text_color(*DIM)
        self.cell(0, 5, self.number.replace("{page}", str(self.page_no())), align="C")


class Pages:
    """A4, portrait. `number`: what the foot says, with `{page}` in it."""

    def __init__(self, font: Font, title: str, made: datetime, number: str) -> None:
        # It tells of every glyph that a font lacks, and of what it leaves out of the subset.
        logging.getLogger("fpdf").setLevel(logging.ERROR)
        logging.getLogger("fontTools").setLevel(logging.ERROR)
        page = _Document("P", "mm", "A4")
        page.number = number
        page.set_title(title)
        page.set_creation_date(made)
        page.set_auto_page_break(False)
        page.set_margins(_MARGIN, _MARGIN)
        for style, path in (("", font.plain), ("B", font.bold)):
            page.add_font(_FAMILY, style, path, collection_font_number=font.face)
        page.c_margin = 0
        page.add_page()
        self._page = page
        self._wide = page.epw
        self._end = page.h - 14.0

    def content(self) -> bytes:
        """The file."""
        return bytes(self._page.output())

    def heading(self, words: str, *, new_page: bool = False) -> None:
        """A heading that does not stand alone at the foot of a page."""
        page = self._page
        if new_page or page.y + 30 > self._end:
            page.add_page()
        page.set_y(page.y + 4)
        self.lines([Line(words, 12, bold=True)])
        page.set_draw_color(*DIM)
        page.line(_MARGIN, page.y, _MARGIN + self._wide, page.y)
        page.set_y(page.y + 1)

    def lines(self, lines: Sequence[Line]) -> None:
        """Across the whole page."""
        for line in lines:
            if self._page.y + self._height([line], self._wide) > self._end:
                self._page.add_page()
            self._put([line], _MARGIN, self._wide)

    def row(
        self,
        cells: Sequence[Sequence[Line]],
        weights: Sequence[float],
        *,
        head: bool = False,
        boxed: bool = False,
        keep: float = 0.0,
        repeat: Sequence[Sequence[Line]] = (),
    ) -> None:
        """Cells side by side, as wide as `weights` say. `keep`: millimetres that must follow on the same page. `repeat`: the
        table's head, for a new page."""
        page = self._page
        share = self._wide / sum(weights)
        wide = [weight * share for weight in weights]
        pad = 2.0 if boxed else _PAD
        high = max(self._height(cell, width - 2 * pad) for cell, width in zip(cells, wide, strict=False)) + 2 * pad
        if page.y + high + keep > self._end:
            page.add_page()
            if repeat:
                self.row(repeat, weights, head=True)
        top, left = page.y, _MARGIN
        page.set_draw_color(*(DIM if head else _LINE))
        for cell, width in zip(cells, wide, strict=False):
            if boxed:
                page.rect(left, top, width - 1.5, high - 1)
            page.set_y(top + pad)
            self._put(cell, left + pad, width - 2 * pad - (1.5 if boxed else 0))
            left += width
        page.set_y(top + high)
        if not boxed:
            page.line(_MARGIN, page.y, _MARGIN + self._wide, page.y)

    def _put(self, lines: Sequence[Line], left: float, wide: float) -> None:
        """From where the page stands."""
        page = self._page
        for line in lines:
            beside = self._beside(line, wide)
            for at, (text, size, ink, bold) in enumerate(_pieces(line)):
                page.set_font(_FAMILY, "B" if bold else "", size)
                page.set_text_color(*ink)
                if beside and at == 0:
                    page.set_x(left)
                    page.cell(page.get_string_width(text) + _GAP, line.size * _HIGH, text, link=line.link or "")
                elif beside:
                    page.cell(wide, line.size * _HIGH, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
                else:
                    page.set_x(left)
                    page.multi_cell(wide, size * _HIGH, text, link=line.link or "", **_flow(text))

    def _height(self, lines: Sequence[Line], wide: float) -> float:
        high = 0.0
        for line in lines:
            if self._beside(line, wide):
                high += line.size * _HIGH
                continue
            for text, size, _, bold in _pieces(line):
                self._page.set_font(_FAMILY, "B" if bold else "", size)
                found: Any = self._page.multi_cell(
                    wide, size * _HIGH, text, dry_run=True, output=MethodReturnValue.HEIGHT, **_flow(text)
                )
                high += found
        return high

    def _beside(self, line: Line, wide: float) -> bool:
        """Whether what follows finds room behind the words."""
        pieces = _pieces(line)
        if len(pieces) < 2:
            return False
        needed = _GAP
        for text, size, _, bold in pieces:
            self._page.set_font(_FAMILY, "B" if bold else "", size)
            needed += self._page.get_string_width(text)
        return needed <= wide


#: Chinese has no spaces to break at.
_FLOW: Final[dict[str, Any]] = {"align": "L", "new_x": XPos.LMARGIN, "new_y": YPos.NEXT}


def _flow(text: str) -> dict[str, Any]:
    return _FLOW | {"wrapmode": WrapMode.CHAR if CHINESE.search(text) else WrapMode.WORD}


def _pieces(line: Line) -> list[tuple[str, float, Ink, bool]]:
    found = [(line.words, line.size, line.ink, line.bold)] if line.words else []
    return found + ([(line.then.strip(), max(6.5, line.size - 1.5), DIM, False)] if line.then.strip() else [])
