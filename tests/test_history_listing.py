"""Whatever is asked of whatever history: lists name exactly the incidents that pass, in order, a page at a time; figures from
columns equal figures from rows."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from pipelines.errors import BadInput
from pipelines.events.envelope import incident_event
from pipelines.history.stats import stats
from pipelines.store import filters, history, incidents, listing, schema, threads
from pipelines.store.database import Database
from pipelines.store.incidents import notice_of
from pipelines.store.queries import IncidentFilter, list_incidents
from pipelines.store.threads import Thread
from pipelines.testing import an_incident
from vision.incident import Phase, Quantity

DAY_S = 86_400.0
#: 2026-10-20 00:00 UTC; the clocks of Europe change on the 25th.
BEGIN_S = 1_792_454_400.0
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/St_Johns")
#: A camera that was named anew; one whose name is in no other place.
NAMES = {"north": ("北门", "正门"), "south": ("南门",), "west": ("West_1", "西门")}


def put(connection: Any, chance: random.Random, number: int, opened_s: float) -> str:
    """One incident with some of its life; returns its id."""
    name = f"{number:04x}-{'case' if number % 7 else 'North'}"
    camera = chance.choice(tuple(NAMES))
    zone = chance.choice(("kerb", "yard", "gate%"))
    kind = chance.choice(("illegal_parking", "crowding", "possible_bullying"))
    seen: dict[str, Any] = {
        "camera_id": camera,
        "zone_id": zone,
        "kind": kind,
        "rule_id": chance.choice((f"{kind}:{zone}", "by_hand")),
        "first_seen_s": opened_s - 9,
        "opened_s": opened_s,
    }
    density = chance.choice((1.0, 2.5, 4.0, 6.0))
    severity = chance.choice((2, 2, 3, 3, 3, 4, 1))
    for revision in range(1, chance.randint(2, 4)):
        ended = revision == 3
        end = {"closed_s": opened_s + 90} if ended else {}
        evidence = {"density": Quantity(density + revision, "people/m2"), "plate": Quantity(f"京A{number % 5}", "")}
        at_s = opened_s + 30 * (revision - 1)
        case = an_incident(
            name, revision, Phase.CLOSED if ended else Phase.OPENED if revision == 1 else Phase.UPDATED,
            severity=max(1, severity - revision // 2), time_s=at_s, evidence=evidence, **seen, **end,
        )  # fmt: skip
        called = NAMES[camera][0 if opened_s < BEGIN_S + 5 * DAY_S else -1]
        event = incident_event(case, "v", called)
        event.data["drill"] = number % 31 == 0
        incidents.apply(connection, [notice_of(event)], at_s)
    begun_s = opened_s + 1
    threads.put(connection, [Thread(name, "sent", 2, created_s=begun_s, sent_s=begun_s + 1)])
    if chance.random() < 0.6:
        threads.change(connection, name, acknowledged_s=begun_s + chance.expovariate(1 / 40))
    if chance.random() < 0.5:
        verdict = chance.choice(("true", "true", "false", "unsure", "duplicate"))
        threads.add_verdict(connection, name, verdict, who="guard", now_s=begun_s, note="")
    return name


def filled(store: Database, chance: random.Random, count: int = 160) -> None:
    with store.write() as connection:
        for number in range(count):
            # Some of one instant: the id decides.
            at_s = BEGIN_S + chance.choice((chance.random() * 9 * DAY_S, chance.randint(0, 8) * DAY_S + 3600.0))
            put(connection, chance, number, at_s)


def a_filter(chance: random.Random) -> IncidentFilter:
    def perhaps(part: float, *values: Any) -> Any:
        return chance.choice(values) if chance.random() < part else None

    since_s = perhaps(0.25, *(BEGIN_S + chance.random() * 6 * DAY_S for _ in range(2)))
    return IncidentFilter(
        since_s=since_s,
        until_s=perhaps(0.25, *((since_s or BEGIN_S) + chance.random() * 5 * DAY_S + 1 for _ in range(2))),
        camera=perhaps(0.2, *NAMES, "nowhere"),
        zone=perhaps(0.15, "kerb", "yard", "gate%"),
        kind=perhaps(0.2, "illegal_parking", "crowding", "possible_bullying"),
        severity=perhaps(0.2, 1, 2, 3),
        level=perhaps(0.1, 1, 2, 3, 4),
        rule=perhaps(0.1, "by_hand", "crowding:yard"),
        state=perhaps(0.2, "open", "closed"),
        verdict=perhaps(0.3, "true", "false", "duplicate", "none"),
        text=perhaps(0.25, "北", "正门", "WEST", "gate%", "_", "yard", "00", "0007", "0007-CASE", "NORTH", "by_h", "nothing"),
        drills=chance.random() < 0.7,
        cameras=perhaps(0.2, frozenset({"north", "west"}), frozenset({"south"}), frozenset()),
        weekday=perhaps(0.15, *range(1, 8)),
        hour=perhaps(0.1, *range(24)),
        timezone=chance.choice(ZONES),
    )  # fmt: skip


def passes(row: dict[str, Any], wanted: IncidentFilter, names: dict[tuple[str, ...], set[str]]) -> bool:
    """In plain words, as docs/history.md says it."""
    here = datetime.fromtimestamp(row["opened_s"], ZoneInfo(wanted.timezone))
    judged = row["verdict"] or "none"
    state = "open" if row["closed_s"] is None else "closed"
    said = [row["camera"], row["zone"], row["rule"], *names[place_of(row)]]
    text = (wanted.text or "").lower()
    begins = len(text) >= 4 and row["incident_id"].startswith((wanted.text or "", text))
    return (
        (wanted.since_s is None or row["opened_s"] >= wanted.since_s)
        and (wanted.until_s is None or row["opened_s"] < wanted.until_s)
        and all(getattr(wanted, name) in (None, row[name]) for name in ("camera", "zone", "kind", "rule"))
        and (wanted.severity is None or row["severity"] <= wanted.severity)
        and wanted.level in (None, row["severity"])
        and wanted.state in (None, state)
        and wanted.verdict in (None, judged)
        and (wanted.text is None or begins or any(text in one.lower() for one in said))
        and (wanted.drills or not row["drill"])
        and (wanted.cameras is None or row["camera"] in wanted.cameras)
        and wanted.weekday in (None, here.isoweekday())
        and wanted.hour in (None, here.hour)
    )


def place_of(row: dict[str, Any]) -> tuple[str, ...]:
    return row["camera"], row["zone"], row["rule"], row["kind"]


def all_rows(store: Database) -> list[dict[str, Any]]:
    table = schema.incidents
    with store.read() as connection:
        chosen = select(table).order_by(table.c.opened_s.desc(), table.c.incident_id.desc())
        return [dict(row._mapping) for row in connection.execute(chosen)]


def paged(store: Database, wanted: IncidentFilter, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    with store.read() as connection:
        while True:
            page = list_incidents(connection, wanted, limit, cursor)
            found += [row["incident_id"] for row in page.rows]
            assert len(page.rows) == limit or page.cursor is None
            cursor = page.cursor
            if cursor is None:
                return found


@pytest.mark.parametrize("sizes", [(1000, 40, 2000), (3, 1, 4), (3, 400, 40)])
def test_lists_name_what_passes_in_order(
    store: Database, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int, int]
) -> None:
    """With little to look at at once, each way to a page is gone."""
    for name, size in zip(("_GLANCE", "_FEW_PLACES", "_FEW"), sizes, strict=True):
        monkeypatch.setattr(listing, name, size)
    chance = random.Random(sum(sizes))
    filled(store, chance)
    rows = all_rows(store)
    names: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        names.setdefault(place_of(row), set()).add(row["camera_name"])
    counts = []
    for _ in range(25):
        wanted = a_filter(chance)
        expected = [row["incident_id"] for row in rows if passes(row, wanted, names)]
        assert paged(store, wanted, chance.choice((5, 40))) == expected, wanted
        counts.append(len(expected))
    assert sum(count > 0 for count in counts) > 6


def figures(store: Database, wanted: IncidentFilter) -> dict[str, Any]:
    with store.read() as connection:
        return stats(
            history.stream(connection, wanted), "Europe/Berlin", lambda them: history.camera_names(connection, them)
        )


def test_figures_from_columns_equal_figures_from_rows(store: Database) -> None:
    chance = random.Random(11)
    filled(store, chance)
    asked = [a_filter(chance) for _ in range(12)]
    plain = [replace(one, text=None, drills=True, cameras=None) for one in asked[:4]]
    before = [figures(store, wanted) for wanted in (*asked, *plain)]
    # Half of the days, then all of them.
    for part in (2, 1):
        with store.read() as connection:
            days = history.stale(connection)
        for day in days[::part]:
            with store.write() as connection:
                history.roll(connection, day)
        assert [figures(store, wanted) for wanted in (*asked, *plain)] == before
    with store.read() as connection:
        assert history.stale(connection) == []
    rows = [len(paged(store, wanted, 100)) for wanted in (*asked, *plain)]
    assert [one["incidents"] for one in before] == rows
    assert sum(count > 0 for count in rows) > 6


def test_pages_stay_while_incidents_come_in(store: Database) -> None:
    """New ones, newer and older, and ones that change meanwhile: what was there is named once, in its order."""
    chance = random.Random(3)
    filled(store, chance, 60)
    for turn, wanted in enumerate((IncidentFilter(), IncidentFilter(camera="north"), IncidentFilter(text="门"))):
        with store.read() as connection:
            before = [row["incident_id"] for row in list_incidents(connection, wanted, 1000).rows]
        found: list[str] = []
        newer: set[str] = set()
        among: set[str] = set()
        cursor = None
        for number in range(1000):
            with store.read() as connection:
                page = list_incidents(connection, wanted, 7, cursor)
            found += [row["incident_id"] for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
            with store.write() as connection:
                ids = 5000 + number + 300 * len(before)
                newer.add(put(connection, chance, ids, BEGIN_S + (10 + 1000 * turn + number) * DAY_S))
                among.add(put(connection, chance, ids + 4000, BEGIN_S + chance.random() * 9 * DAY_S))
                threads.add_verdict(connection, before[-1], "unsure", who="guard", now_s=1.0, note="")
        assert [name for name in found if name in set(before)] == before
        assert len(found) == len(set(found))
        assert not newer & set(found), "what is newer than the first page is on none of the pages after it"
        assert len(newer) == len(among) > 2
        if wanted == IncidentFilter():
            assert among & set(found), "what came in among those that were still to come is listed in its place"


@pytest.mark.parametrize("cursor", ["rubbish", "W10", "WzEsMl0", "WyJhIiwgImIiXQ", "WzEsICJcdTAwMDAiXQ"])
def test_a_cursor_of_somebody_else_is_refused(store: Database, cursor: str) -> None:
    with store.read() as connection, pytest.raises(BadInput, match="not a cursor"):
        list_incidents(connection, IncidentFilter(), 5, cursor)


def test_an_ids_beginning_is_looked_for_in_an_index(store: Database) -> None:
    """At ten million incidents a scan takes seconds, and a test with a hundred does not see it."""
    filled(store, random.Random(1), 30)
    chosen = select(schema.incidents.c.incident_id).where(filters.id_begins("0008-CASE"))
    with store.write() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if not sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        sql = chosen.compile(connection, compile_kwargs={"literal_binds": True}).string.replace("%%", "%")
        explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        plan = [
            str(row[-1])
            for row in connection.exec_driver_sql(f"{explain} {sql}".replace("%", "%%" if not sqlite else "%"))
        ]
        assert connection.scalars(chosen).all() == ["0008-case"], "in small letters, as ids are made"
    assert any(("SEARCH" in line) if sqlite else ("Index" in line) for line in plan), plan
