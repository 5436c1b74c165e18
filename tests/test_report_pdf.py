"""The sheet as a PDF: its words can be read back, its Chinese is really drawn, its links lead where the page's do."""

from __future__ import annotations

import ctypes
import re
from html import unescape
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from pypdfium2 import raw

from pipelines.errors import BadInput
from pipelines.report import fonts
from pipelines.report.fonts import Font
from pipelines.report.html import html
from pipelines.report.pdf import pdf
from pipelines.report.testing import WrittenSite, a_written_site

BASE = "https://gatewatch.school.example"


@pytest.fixture
def site(tmp_path: Path, chinese_font: Font) -> WrittenSite:
    return a_written_site(tmp_path)


def text_of(content: bytes) -> str:
    with pypdfium2.PdfDocument(content) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def links_of(content: bytes) -> set[str]:
    found: set[str] = set()
    with pypdfium2.PdfDocument(content) as document:
        for page in document:
            for at in range(raw.FPDFPage_GetAnnotCount(page.raw)):
                note = raw.FPDFPage_GetAnnot(page.raw, at)
                action = raw.FPDFLink_GetAction(raw.FPDFAnnot_GetLink(note))
                buffer = ctypes.create_string_buffer(raw.FPDFAction_GetURIPath(document.raw, action, None, 0))
                raw.FPDFAction_GetURIPath(document.raw, action, buffer, len(buffer))
                raw.FPDFPage_CloseAnnot(note)
                found.add(buffer.value.decode())
    return found


def test_its_words_and_links(site: WrittenSite) -> None:
    sheet = site.sheet()
    content = pdf(sheet, "zh-CN", BASE)
    words = text_of(content)
    for said in (
        "校门安全督导考评表",
        "North <School>",
        "北门 <b>&\"'",
        "2026年第47周",
        "按时确认的报警",
        "未测量",
        "没有检测值班岗的规则",
        "第1页",
    ):
        assert said in words
    assert "40.0 %" in words
    # Whatever stands behind a figure has a number, and under it the incidents.
    used = set(re.findall(r"\d+ +\[(\d+)\]", words))
    named = set(re.findall(r"^\[(\d+)\] ", words, re.MULTILINE))
    assert used == named
    assert len(named) == sum(
        len(one.behind) for chapter in sheet.chapters for group in chapter.groups for one in group.figures
    )
    for incident_id in sheet.cases:
        assert incident_id in words.replace("\r\n", "")
    english = text_of(pdf(sheet, "en", BASE))
    assert "acknowledged in time" in english
    assert re.findall(r"[一-鿿]+", re.sub("北门|南门|京A", "", english)) == []


def test_its_links_are_those_of_the_page(site: WrittenSite) -> None:
    """What they resolve to is tested there."""
    page = re.sub(r"(?s)<svg.*?</svg>", "", html(site.sheet(), "en", BASE))
    expected = {unescape(href) for href in re.findall(r'href="(https://[^"]+)"', page)}
    assert len(expected) > 30
    assert links_of(pdf(site.sheet(), "en", BASE)) == expected


def test_chinese_is_drawn(site: WrittenSite) -> None:
    """Glyphs that a font lacks are drawn as nothing or as equal boxes: these characters all look unlike each other."""
    content = pdf(site.sheet(), "zh-CN", BASE)
    with pypdfium2.PdfDocument(content) as document:
        page = document[0]
        texts = page.get_textpage()
        picture = np.asarray(page.render(scale=4).to_pil().convert("L"))
        high = page.get_height()
        shapes = []
        for at, character in enumerate("校门安全督导考评表"):
            assert texts.get_text_range(at, 1) == character
            left, bottom, right, top = (round(4 * edge) for edge in texts.get_charbox(at))
            shapes.append(picture[round(4 * high) - top : round(4 * high) - bottom, left:right] < 128)
    assert all(0.1 < shape.mean() < 0.8 for shape in shapes)
    assert len({shape.tobytes() for shape in shapes}) == len(shapes)


def test_many_incidents_end_with_how_many_more(site: WrittenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.report.pdf.MOST_CASES", 4)
    assert "10 more are not listed here" in text_of(pdf(site.sheet(), "en", BASE)).replace("\r\n", " ")


def test_a_machine_without_a_font(site: WrittenSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="apt-get install fonts-wqy-microhei"):
        fonts.find(chinese=True, folders=[str(tmp_path)])
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "DejaVuSans.ttf").touch()
    assert fonts.find(chinese=False, folders=[str(tmp_path)]).bold.name == "DejaVuSans.ttf"
    with pytest.raises(BadInput, match="a font with Chinese"):
        fonts.find(chinese=True, folders=[str(tmp_path)])
