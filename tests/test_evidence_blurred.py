"""The recorded main stream's pictures on their way out: who sees people blurred never sees them as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import console
from console.testing import Site, a_picture, a_site
from pipelines.access.roles import Role
from pipelines.alerting.channels.base import NoPicture
from pipelines.alerting.pictures import PictureDesk
from pipelines.evidence.stills import MAIN
from pipelines.evidence.testing import Case
from pipelines.media.agreement import agree
from pipelines.media.hiding import Box, hidden_region, whole
from pipelines.store import stills
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

PERSON = Box("person", 300, 100, 340, 200)


@pytest.fixture
def case(tmp_path: Path, large: FilledVolume) -> Iterator[Case]:
    made = Case(tmp_path, large)
    yield made
    made.database.close()


def test_streams_of_another_shape_give_no_close_up_no_outline_and_nothing_to_whoever_sees_people_blurred(
    case: Case,
) -> None:
    case.see(3.0, size=(640, 480), hide=[PERSON], shows_s=3.0)
    case.see(4.0, "close_up", size=(640, 480), hide=[PERSON], shows_s=4.0)
    case.run()
    still = case.main()
    assert (still["same_shape"], still["blurrable"]) == (False, False)
    assert (case.picture(still)[:1080, :, 2].astype(int) - case.picture(still)[:1080, :, 0] < 60).all(), "no outline"
    assert case.main("close_up")["missing"] == "other_shape"
    desk = PictureDesk(case.folder)
    with pytest.raises(NoPicture, match="unblurrable"):
        desk.blurred({"data": {"pictures": [still]}})
    assert desk.original({"data": {"pictures": [still]}}).content == (case.folder / still["path"]).read_bytes()


def contrast(picture: np.ndarray) -> float:
    return float(np.abs(np.diff(picture.mean(axis=2), axis=1)).mean())


@pytest.mark.parametrize("role", ["limit", "close_up"])
def test_whoever_sees_people_blurred_gets_the_still_with_the_same_people_hidden(case: Case, role: str) -> None:
    head, plate = Box("person", 200, 130, 230, 200), Box("vehicle", 240, 150, 300, 230)
    case.see(3.0, role, hide=[head, plate], shows_s=3.0)
    case.run()
    still = case.main(role)
    assert still["blurrable"] is True
    blurred = PictureDesk(case.folder).blurred({"data": {"pictures": [still]}})
    assert blurred.blurred
    shown = cv2.imdecode(np.frombuffer(blurred.content, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    original = case.picture(still)
    by = shown.shape[1] / original.shape[1]
    left, top = still.get("cut_px", [0, 0])[:2]

    def part(of: np.ndarray, box: tuple[float, float, float, float], times: float) -> np.ndarray:
        x1, y1, x2, y2 = (3 * side for side in box)
        rows = slice(round((y1 - top) * times), round((y2 - top) * times))
        return of[rows, round((x1 - left) * times) : round((x2 - left) * times)]

    for hidden in ((200, 130, 230, 150), (250, 180, 290, 225)):
        assert contrast(part(original, hidden, 1.0)) > 20
        assert contrast(part(shown, hidden, by)) < 6
    seen = (350, 150, 380, 200) if role == "limit" else (330, 240, 345, 270)
    assert contrast(part(shown, seen, by)) > 10, "where nobody is, nothing is hidden"


def test_boxes_grow_with_the_time_between_the_two_pictures(case: Case) -> None:
    case.see(3.0, "near", hide=[PERSON], shows_s=3.0)
    case.see(3.05, "far", hide=[PERSON], shows_s=3.0)
    case.run()
    boxes = [
        json.loads((case.folder / case.main(role)["path"]).with_suffix(".json").read_text())["hide"][0]
        for role in ("near", "far")
    ]
    height = 3 * 100
    assert [3 * 300 - box["x1_px"] for box in boxes] == pytest.approx([0.2 * height, 0.25 * height], abs=1.0)
    assert [box["x2_px"] - 3 * 340 for box in boxes] == pytest.approx([0.2 * height, 0.25 * height], abs=1.0)


@pytest.mark.parametrize("role", ["limit", "close_up"])
@pytest.mark.parametrize(("shows_s", "agrees"), [(3.0, True), (3.3, False)])
def test_streams_that_show_different_moments_at_the_same_time_give_nothing_to_whoever_sees_people_blurred(
    case: Case, role: str, shows_s: float, agrees: bool
) -> None:
    box = (0.0, 0.02, 0.1, 0.15)  # the close-up is of the counter, which is all that changes
    case.see(3.0, role, hide=[PERSON], shows_s=shows_s, box=box)
    case.run()
    still = case.main(role)
    assert (still["agrees"], still["blurrable"]) == (agrees, agrees)
    desk, event = PictureDesk(case.folder), {"data": {"pictures": [still]}}
    if agrees:
        assert desk.blurred(event).blurred
    else:
        with pytest.raises(NoPicture, match="unblurrable"):
            desk.blurred(event)


@pytest.mark.parametrize(("kind", "shows_s"), [("person", 3.0), ("person", 3.3), ("vehicle", 3.3)])
def test_all_of_a_box_is_hidden_in_which_something_moved_for_somebody_else_may_have_come_there(
    case: Case, kind: str, shows_s: float
) -> None:
    # The counter's lowest six fields, which are what changes, lie in its body, or in a vehicle's upper part.
    covered = Box(kind, 10, -60, 230, 50) if kind == "person" else Box(kind, 10, -10, 230, 120)
    case.see(3.0, hide=[covered], shows_s=shows_s, box=(0.1, 0.02, 0.3, 0.1))
    case.run()
    still = case.main()
    assert still["blurrable"] is True
    (kept,) = json.loads((case.folder / still["path"]).with_suffix(".json").read_text())["hide"]
    x1, y1, x2, y2 = hidden_region(Box(**kept), (1080, 1920))
    if shows_s == 3.0:
        assert y2 < 60, "nothing moved but what the outline drew: it is the head, as on the first one"
        return
    shown = cv2.imdecode(
        np.frombuffer(PictureDesk(case.folder).blurred({"data": {"pictures": [still]}}).content, np.uint8), 1
    )
    assert shown is not None
    assert x1 <= 0
    assert y1 <= 0
    assert x2 >= 6 * 120
    assert y2 >= 120, "all that differs is hidden"
    original = cv2.resize(case.picture(still), shown.shape[1::-1], interpolation=cv2.INTER_AREA)
    fields = [np.s_[10:70, 80 * bit + 10 : 80 * bit + 70] for bit in range(6)]
    assert max(np.abs(shown[one].mean() - original[one].mean()) for one in fields) > 20


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_of_a_whole_box_at_least_all_is_hidden_that_was_and_the_box(kind: str) -> None:
    box, size = Box(kind, 100, 100, 160, 250), (480, 640)
    before, after = hidden_region(box, size), hidden_region(whole(box), size)
    for outer, inner in ((after, before), (after, (100, 100, 160, 250))):
        assert (outer[0] <= inner[0], outer[1] <= inner[1]) == (True, True)
        assert (outer[2] >= inner[2], outer[3] >= inner[3]) == (True, True)
    for outside in (Box(kind, 100, -250, 160, -100), Box(kind, -160, 100, -100, 250)):
        x1, y1, x2, y2 = hidden_region(outside, size)
        assert min(x1, y1, x2, y2) >= 0, "which a slice can be made of"
        assert (x2 - x1) * (y2 - y1) == 0


def test_what_is_hidden_may_differ_and_a_whole_picture_may_be_brighter() -> None:
    first = np.random.default_rng(3).integers(60, 120, (360, 640, 3)).astype(np.uint8)
    first = cv2.GaussianBlur(first, (0, 0), 3.0)
    size = (640.0, 360.0)
    brighter = cv2.add(first, np.full_like(first, 30))
    assert agree(first, brighter, [], size)
    somebody = brighter.copy()
    somebody[200:230, 300:310] = 240
    assert not agree(first, somebody, [], size)
    assert not agree(somebody, first, [], size)
    assert agree(first, somebody, [Box("person", 295, 195, 315, 235)], size)
    assert not agree(first, somebody, [Box("person", 395, 195, 415, 235)], size)


def test_a_picture_that_nobody_looked_at_has_a_still_that_is_not_blurred_and_not_given(case: Case) -> None:
    record = case.see(3.0)
    path = (case.folder / record["path"]).with_suffix(".json")
    beside = json.loads(path.read_text())
    del beside["hide"]
    path.write_text(json.dumps(beside))
    case.run()
    assert case.main()["blurrable"] is False
    with pytest.raises(NoPicture, match="unblurrable"):
        PictureDesk(case.folder).blurred({"data": {"pictures": [case.main()]}})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = a_site(tmp_path, FakeClock(1_790_000_200.0))
    yield made
    made.parts.database.close()


def with_still(site: Site, **more: Any) -> Path:
    """The picture of `north-1` has its still; returns its file."""
    data = site.parts.config.data
    record = a_picture(data, "north-1", role="limit.main", hide=more.pop("hide", None))
    of = stills_of(site)[0]["sha256"]
    about = {"role": "limit", "of": of, "source": MAIN, "off_s": -0.04, "scale": 3.0, "width": 1920, "height": 1080}
    with site.parts.database.write() as connection:
        stills.put(connection, "north-1", record | about | {"blurrable": True} | more)
    return data / "pictures" / str(record["path"])


def stills_of(site: Site, role: Role = Role.GUARD) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.client(role).get("/api/v1/incidents/north-1").json()["pictures"]
    return found


def test_the_api_gives_the_still_beside_the_picture_and_never_unblurred_to_whom_it_must_not(site: Site) -> None:
    assert stills_of(site)[0]["main"] is None
    url = "/api/v1/incidents/north-1/pictures/0/main"
    assert site.client(Role.GUARD).get(url).status_code == 404
    path = with_still(site)
    main = stills_of(site)[0]["main"]
    assert (main["url"], main["source"], main["width"], main["off_s"], main["missing"]) == (
        url,
        MAIN,
        1920,
        -0.04,
        None,
    )
    assert "path" not in main
    assert site.client(Role.GUARD).get(url).content == path.read_bytes()
    blurred = site.client(Role.VIEWER).get(url)
    assert blurred.status_code == 200
    assert blurred.content != path.read_bytes()
    lines = site.client(Role.ADMIN).get("/api/v1/audit", params={"action": "picture.view"}).json()["lines"]
    assert [(one["who"], one["detail"]["source"], one["detail"]["blurred"]) for one in lines] == [
        ("token:viewer", MAIN, True),
        ("token:guard", MAIN, False),
    ]
    beside = path.with_suffix(".json")
    kept = json.loads(beside.read_text())
    del kept["hide"]
    beside.write_text(json.dumps(kept))
    assert site.client(Role.VIEWER).get(url).status_code == 404
    assert site.client(Role.GUARD).get(url).status_code == 200


def test_the_page_shows_the_larger_one_that_this_role_may_see_and_says_which(site: Site) -> None:
    def shown(role: Role) -> dict[str, Any]:
        (found,) = site.client(role).get("/live/incidents/north-1").json()["pictures"]
        return dict(found)

    analysed = {
        "role": "limit",
        "url": "/api/v1/incidents/north-1/pictures/0",
        "source": "analysed",
        "width": 64,
        "height": 48,
    }
    assert shown(Role.GUARD) == analysed | {"off_s": None, "why": None, "other": None}
    with_still(site)
    for role in (Role.GUARD, Role.VIEWER):
        main = shown(role)
        assert (main["url"], main["source"], main["width"]) == (analysed["url"] + "/main", "main", 1920)
        assert main["other"] == {name: analysed[name] for name in ("url", "width", "height")}
    with_still(site, blurrable=False)
    assert shown(Role.GUARD)["source"] == "main"
    assert shown(Role.VIEWER) == analysed | {"off_s": None, "why": "not_blurrable", "other": None}
    with_still(site, missing="gap", detail="network")
    assert shown(Role.GUARD) == analysed | {"off_s": None, "why": "gap", "other": None}
    assert stills_of(site)[0]["main"]["url"] is None


def test_every_reason_has_its_words_in_both_languages() -> None:
    words = json.loads((Path(console.__file__).parent / "words" / "now.json").read_text("utf-8"))
    for reason in (*stills.REASONS, "not_blurrable"):
        assert set(words[f"now.no_main.{reason}"]) == {"zh-CN", "en"}


def test_whoever_sees_the_picture_sees_its_still_and_nobody_else_and_blurred_alike(site: Site) -> None:
    path = with_still(site).read_bytes()
    for (role, camera), token in site.tokens.items():
        client = site.client(role, camera)
        given = {}
        for url in ("north-1/pictures/0", "north-1/pictures/0/main", "backyard-1/pictures/0", "nort/pictures/0/main"):
            answer = client.get(f"/api/v1/incidents/{url}", headers={"If-None-Match": "*"})
            given[url] = answer.status_code
            if answer.status_code == 200:
                assert answer.headers["Cache-Control"] == "private, no-store"
                assert "etag" not in answer.headers
        assert given["north-1/pictures/0"] == given["north-1/pictures/0/main"], (role, camera, token)
        assert given["nort/pictures/0/main"] in (403, 404)
        if camera is not None:
            assert given["backyard-1/pictures/0"] in (403, 404)
            beside = client.get("/api/v1/incidents/backyard-1/pictures/0/main").status_code
            assert beside == given["backyard-1/pictures/0"]
        if given["north-1/pictures/0/main"] == 200:
            principal = site.parts.people.of_token(token)
            assert principal is not None
            content = client.get("/api/v1/incidents/north-1/pictures/0/main").content
            assert (content == path) is site.parts.unblurred(principal), role
    bare = site.client(Role.GUARD)
    bare.headers.pop("Authorization")
    assert bare.get("/api/v1/incidents/north-1/pictures/0/main").status_code == 401


def test_each_of_an_incidents_pictures_that_somebody_looked_at_is_in_the_audit(site: Site) -> None:
    """The small one and the large one are two: who saw a face at full size is asked for."""
    with_still(site)
    url = "/api/v1/incidents/north-1/pictures/0"
    for _ in range(2):
        for one in (url, f"{url}/main"):
            assert site.client(Role.GUARD).get(one).status_code == 200
    lines = site.client(Role.ADMIN).get("/api/v1/audit", params={"action": "picture.view"}).json()["lines"]
    assert sorted(str(one["detail"].get("source")) for one in lines) == ["None", MAIN]
