"""The sheet as files: every word in both languages, every link resolves to what it counts, every name is escaped."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from console.testing import a_program
from pipelines.access.roles import Role
from pipelines.report import spoken
from pipelines.report.html import html
from pipelines.report.model import Sheet
from pipelines.report.spoken import percent, standing
from pipelines.report.testing import NAME, NOW_S, WrittenSite, a_written_site
from pipelines.report.words import vocabulary
from pipelines.report.xlsx import xlsx
from pipelines.testing import FakeClock
from pipelines.wording import Language

BASE = "https://gatewatch.school.example"
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")
#: Ids, zones and addresses have no language.
NAMES = (
    "North",
    "School",
    "北门",
    "南门",
    "京A",
    "north",
    "south",
    "office",
    "kerb",
    "yard",
    "Gatewatch",
    "Asia/Shanghai",
)


@pytest.fixture
def site(tmp_path: Path) -> WrittenSite:
    return a_written_site(tmp_path)


class Page(HTMLParser):
    """`text` that people read; `links`: address -> what it says it counts; `loads`: whatever is fetched from elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[tuple[str, int | None]] = []
        self.loads: list[str] = []
        self.behind: list[tuple[int, int]] = []
        self.targets: set[str] = set()
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in ("meta", "rect", "i", "br"):
            self._inside.append(tag)
        if found.get("id"):
            self.targets.add(f"#{found['id']}")
        if tag == "a":
            count = found.get("data-incidents")
            self.links.append((found.get("href") or "", None if count is None else int(count)))
            if "details" in self._inside:
                self.behind[-1] = (self.behind[-1][0], self.behind[-1][1] + 1)
        if tag == "details":
            self.behind.append((int(found["data-incidents"] or 0), 0))
        self.loads += [value or "" for name, value in attrs if name in ("src", "srcset", "data", "action")]
        if tag in ("script", "link", "iframe", "object", "img"):
            self.loads.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not {"style", "code"} & set(self._inside):
            self.text.append(data)


def sheets(site: WrittenSite) -> list[Sheet]:
    """All sorts of sheets: full, in part, running, of a month; and one of a site where nothing ever happened."""
    return [
        site.sheet(),
        site.sheet(frozenset({"south"})),
        site.sheet(current=True),
        site.sheet(kind="month", current=True),
        site.sheet(kind="term", current=True),
        site.sheet(since=date(2026, 10, 1)),
    ]


def test_both_languages_have_every_word() -> None:
    for key, texts in vocabulary().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(texts.values()), key
        fields = {language: set(re.findall(r"{(\w+)}", text)) for language, text in texts.items()}
        # A measure word is needed in one language only, and a month has its name in one.
        assert fields["zh-CN"] - {"month"} == fields["en"] - {"month_name"}, key


def test_every_word_is_translated(site: WrittenSite) -> None:
    for sheet in sheets(site):
        for language in LANGUAGES:
            words = " ".join(Page(html(sheet, language, BASE)).text)
            assert "{" not in words
            for name in (*NAMES, BASE, "alerts.drill.schedule"):
                words = words.replace(name, "")
            foreign = r"[一-鿿]+" if language == "en" else r"[A-Za-z]{3,}"
            assert re.findall(foreign, words) == []


def test_names_are_escaped_and_nothing_is_loaded(site: WrittenSite) -> None:
    site.tell("evil", "2026-11-18T11:00", '<img src="//x">', zone="<i>", verdict="true", plate="<u>1</u>京")
    page = html(site.sheet(), "zh-CN", BASE)
    for dangerous in ("<b>&", "<img", "<School>", "<u>", "<i>1"):
        assert dangerous not in page
    found = Page(page)
    assert found.loads == []
    assert NAME in "".join(found.text)
    assert "url(" not in page
    assert {urlsplit(href).netloc for href, _ in found.links if href.startswith("http")} == {urlsplit(BASE).netloc}
    assert {href for href, _ in found.links if href.startswith("#")} <= found.targets


def test_links_resolve_to_as_many_incidents_as_they_say(site: WrittenSite) -> None:
    """Asked over the console's own API, with the very parameters of the links."""
    client = a_program(site.config, site.store, FakeClock(NOW_S), Role.ANALYST)
    found = Page(html(site.sheet(), "en", BASE))
    assert all(shown == count for count, shown in found.behind)
    asked = 0
    for href, count in set(found.links):
        if not href.startswith(BASE):
            continue
        address = urlsplit(href)
        assert address.path == "/history"
        query = address.query.partition("&incident=")[0]
        answer = client.get(f"/api/v1/incidents?{query}&limit=200")
        assert answer.status_code == 200, answer.text
        listed = [one["incident_id"] for one in answer.json()["incidents"]]
        if count is None:
            assert query.removeprefix("text=").replace("%3A", ":") in listed
        else:
            assert len(listed) == count, href
        asked += 1
    assert asked > 30


def test_many_incidents_are_not_all_listed(site: WrittenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.report.html.MOST_CASES", 4)
    monkeypatch.setattr("pipelines.report.html.MOST_BEHIND", 2)
    page = html(site.sheet(), "en", BASE)
    assert len(re.findall(r'<tr id="i\d+"', page)) == 4
    assert "10 more are not listed here" in page
    assert "2 more are not listed here; the number opens them" in page


class Workbook:
    """Sheet -> rows of texts and numbers; `links` by sheet and cell. Read from the file's own XML."""

    def __init__(self, content: bytes) -> None:
        self.rows: dict[str, list[list[str]]] = {}
        self.links: dict[tuple[str, str], str] = {}
        self.formulas = 0
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            assert file.testzip() is None
            texts = [
                "".join(found.text or "" for found in one.iter(f"{_MAIN}t"))
                for one in ElementTree.fromstring(file.read("xl/sharedStrings.xml"))
            ]
            names = [
                one.get("name") or ""
                for one in ElementTree.fromstring(file.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")
            ]
            for number, name in enumerate(names, 1):
                page = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
                self.formulas += sum(1 for _ in page.iter(f"{_MAIN}f"))
                self.rows[name] = rows = []
                for row in page.iter(f"{_MAIN}row"):
                    rows += [[] for _ in range(int(row.get("r") or 0) - len(rows))]
                    for cell in row:
                        found = cell.findtext(f"{_MAIN}v") or ""
                        letter = re.sub(r"\d", "", cell.get("r") or "")
                        rows[-1] += [""] * (ord(letter) - ord("A") - len(rows[-1]))
                        rows[-1].append(texts[int(found)] if cell.get("t") == "s" else found)
                targets: dict[str, str] = {}
                relations = f"xl/worksheets/_rels/sheet{number}.xml.rels"
                if relations in file.namelist():
                    targets = {
                        one.get("Id") or "": one.get("Target") or ""
                        for one in ElementTree.fromstring(file.read(relations))
                    }
                for link in page.iter(f"{_MAIN}hyperlink"):
                    to = targets.get(link.get(_RELATION) or "", "") or f"#{link.get('location')}"
                    self.links[name, link.get("ref") or ""] = to


_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def test_the_workbook(site: WrittenSite) -> None:
    site.tell("evil", "2026-11-18T11:00", "=HYPERLINK(1)", zone="+1", verdict="true")
    sheet = site.sheet()
    for language in LANGUAGES:
        book = Workbook(xlsx(sheet, language, BASE))
        assert book.formulas == 0
        words = " ".join(text for rows in book.rows.values() for row in rows for text in row)
        for name in sorted((*NAMES, *sheet.cases, "HYPERLINK", "alerts.drill.schedule"), key=len, reverse=True):
            words = words.replace(name, "")
        foreign = r"[一-鿿]+" if language == "en" else r"[A-Za-z]{3,}"
        assert re.findall(foreign, words) == []
        figures, behind, cases, how = book.rows.values()
        assert len(cases) == 1 + len(sheet.cases)
        assert len(how) > 30
        # Each list behind a figure is there in full, and each incident has a link to itself.
        listed = [one for chapter in sheet.chapters for group in chapter.groups for one in group.figures]
        assert len(behind) == 1 + sum(len(each.ids) for one in listed for each in one.behind)
        assert sum(to.startswith(f"{BASE}/history?text=") for to in book.links.values()) == len(behind) + len(cases) - 2
    row = next(row for row in figures if row[1:2] == ["acknowledged in time"])
    assert row[2:6] == ["40.0 %", "2 of 5 incidents", "0.4", "%"]
    assert cases[1][8] == "old-gap"
    at = figures.index(row) + 1
    assert row[7:10] == ["in time 2", "late 2", "nobody answered 1"]
    (place,) = re.findall(r"#'incidents behind'!A(\d+)", book.links["figures", f"H{at}"])
    assert [one[11] for one in behind[int(place) - 1 : int(place) + 1]] == ["case-i1", "case-i4"]
    kind = next(row for row in figures if row[1:2] == ["    crowding"])
    assert book.links["figures", f"H{figures.index(kind) + 1}"].startswith(f"{BASE}/history?since_s=")


def test_a_workbook_that_would_be_too_long(site: WrittenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.report.xlsx.MOST_ROWS", 5)
    _, behind, cases, _ = Workbook(xlsx(site.sheet(), "en", BASE)).rows.values()
    assert len(behind) == 7
    assert "more rows are not listed here" in behind[-1][0]
    assert cases[-1] == ["9 more rows are not listed here; the history has them"]


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0 %"), (1.0, "100 %"), (0.99999, "> 99.99 %"), (0.0001, "< 0.1 %"), (0.9973, "99.73 %")]
)
def test_percent_is_never_rounded_to_what_is_not_so(share: float, said: str) -> None:
    assert percent(share) == said


def test_how_retention_stands() -> None:
    def stands(achieved_d: float, promised_d: float, floor_d: float, young: bool = False) -> str:
        day_s = 86_400.0
        return standing(spoken.Retention(achieved_d * day_s, promised_d * day_s, floor_d * day_s, 0.0, young))

    assert [stands(30, 30, 30), stands(35, 60, 30), stands(29, 30, 30), stands(7, 30, 30, True)] == [
        "ok",
        "short",
        "below",
        "young",
    ]
