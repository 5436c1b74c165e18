"""The history over HTTP: figures whose links list exactly the incidents behind them, within what the caller may see."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from console.testing import NORTH, SOUTH, Site, a_site
from pipelines.access.roles import Role
from pipelines.store import threads
from pipelines.testing import FakeClock

#: 2026-10-24 06:00 in Berlin, a Saturday: on the Sunday the clocks go back.
SATURDAY_S = 1_792_814_400.0
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Ninety incidents on two cameras over four days of a site in Berlin."""
    site = a_site(tmp_path_factory.mktemp("site"), FakeClock(SATURDAY_S + 5 * 24 * HOUR_S))
    place = site.parts.config.site.model_copy(update={"timezone": "Europe/Berlin"})
    site.parts.config = site.parts.config.model_copy(update={"site": place})
    site.parts.by_caller.take = lambda _key: 0.0  # type: ignore[method-assign]
    chance = random.Random(5)
    for number in range(90):
        at_s = SATURDAY_S + chance.random() * 96 * HOUR_S
        camera = chance.choice((NORTH, SOUTH))
        site.tell(
            f"case-{number}",
            camera=camera,
            kind=chance.choice(("illegal_parking", "crowding")),
            severity=chance.randint(1, 4),
            opened_s=at_s,
            first_seen_s=at_s - 30,
            time_s=at_s,
        )
        if chance.random() < 0.6:
            with site.parts.database.write() as connection:
                verdict = chance.choice(("true", "false"))
                threads.add_verdict(connection, f"case-{number}", verdict, who="guard", now_s=at_s, note="")
                threads.change(connection, f"case-{number}", acknowledged_s=1_790_000_190.0 + 60 * chance.random())
    yield site
    site.parts.database.close()


def listed(client: Any, query: dict[str, Any]) -> int:
    """How many incidents the query lists, over all its pages."""
    count, cursor = 0, None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = client.get("/api/v1/incidents", params=query | {"limit": 7} | more).json()
        count += len(page["incidents"])
        cursor = page["cursor"]
        if cursor is None:
            return count


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"camera": NORTH, "since_s": SATURDAY_S + 11.3 * HOUR_S, "until_s": SATURDAY_S + 70.7 * HOUR_S},
        {"kind": "crowding", "severity": 3, "weekday": 7},
        {"hour": 3, "state": "open"},
    ],
)
def test_each_figure_leads_to_its_incidents(site: Site, asked: dict[str, Any]) -> None:
    client = site.client(Role.ANALYST)
    found = client.get("/api/v1/stats", params=asked).json()
    assert found["asked"] == asked | {"drills": False}
    assert found["incidents"] == listed(client, found["asked"])
    linked = [found[name] for name in ("by_day", "by_camera", "by_kind", "by_level", "by_zone", "by_verdict")]
    linked += [found["repeat_places"], [cell for cell in found["by_hour_and_weekday"] if cell["incidents"]]]
    for buckets in linked:
        for bucket in buckets:
            assert listed(client, found["asked"] | bucket["filter"]) == bucket["incidents"], bucket
    for buckets in linked[:6]:
        assert sum(bucket["incidents"] for bucket in buckets) == found["incidents"]
    for row in found["precision"]:
        if asked.get("verdict") is None:
            assert listed(client, found["asked"] | row["filter"]) == row["false"], row
    delays = found["delays"]["acknowledge"]
    assert sum(delays["all"]["histogram"]) == delays["all"]["count"] == found["answers"]["acknowledge"] > 0
    assert len(delays["all"]["histogram"]) == len(delays["up_to_s"]) + 1


def test_the_hour_that_is_there_twice_counts_twice(site: Site) -> None:
    """From 2 to 3 on that Sunday there are 120 minutes."""
    client = site.client(Role.ANALYST)
    sunday = {"weekday": 7, "hour": 2}
    # 02:00 summer time is 00:00 UTC.
    both = {"since_s": SATURDAY_S + 20 * HOUR_S, "until_s": SATURDAY_S + 22 * HOUR_S}
    assert listed(client, sunday) == listed(client, both) > 0
    assert listed(client, sunday | both) == listed(client, both)


def test_figures_of_one_camera_tell_nothing_of_another(site: Site) -> None:
    answer = site.client(Role.VIEWER, NORTH).get("/api/v1/stats")
    assert SOUTH not in answer.text
    assert "backyard" not in answer.text
    whole = site.client(Role.VIEWER).get("/api/v1/stats", params={"camera": NORTH}).json()
    assert answer.json()["incidents"] == whole["incidents"] > 0
    assert site.client(Role.VIEWER, NORTH).get("/api/v1/stats", params={"camera": SOUTH}).json()["incidents"] == 0


def test_what_is_refused(site: Site) -> None:
    client = site.client(Role.ANALYST)
    for wrong in ({"weekday": 8}, {"hour": 24}, {"level": 5}, {"since_s": 5, "until_s": 5}, {"verdict": "maybe"}):
        answer = client.get("/api/v1/stats", params=wrong)  # type: ignore[arg-type]
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), wrong
    assert site.client().get("/api/v1/stats").status_code == 401
