"""What is drawn becomes lines of the file, checked, each fault with its place on the picture; and what it would have made of
what was seen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from console.testing import NORTH, Site, a_site
from console.testing_drawing import URL, VERSIONS, applied, drawn, lines, moved, path_of
from pipelines.access.roles import Role
from pipelines.config import load
from pipelines.config.build import camera_spec
from pipelines.config.drawing import FIELDS, defaults_of
from pipelines.config.explain import known_keys
from pipelines.store import audit
from pipelines.testing import FakeClock, gathered, until
from pipelines.tracks.chunk import Chunk
from pipelines.tracks.folder import write_chunk
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.parquet import encode
from pipelines.tracks.rounding import rounded
from pipelines.workers.casebook import rules_only
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def site(tmp_path: Path, clock: FakeClock) -> Iterator[Site]:
    site = a_site(tmp_path, clock)
    yield site
    site.parts.database.close()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """For those that change nothing."""
    site = a_site(tmp_path_factory.mktemp("site"), FakeClock())
    site.parts.by_caller.take = lambda _key: 0.0  # type: ignore[method-assign]
    yield site
    site.parts.database.close()


@pytest.fixture
def admin(site: Site) -> TestClient:
    return site.client(Role.ADMIN)


def test_what_is_sent_back_unchanged_changes_nothing(untouched: Site) -> None:
    site, admin = untouched, untouched.client(Role.ADMIN)
    found = admin.post(f"{URL}/preview", json=drawn(admin)).json()
    assert (found["changed"], found["diff"], found["faults"]) == (False, [], [])
    assert found["config_version"] == load(path_of(site)).version
    assert applied(admin, drawn(admin)).json()["code"] == "same"


def test_a_moved_corner_is_one_line_of_the_file_and_in_the_versions_and_in_the_audit(
    site: Site, admin: TestClient, clock: FakeClock
) -> None:
    path = path_of(site)
    path.chmod(0o604)
    before = path.read_text("utf-8")
    body = moved(admin)
    found = admin.post(f"{URL}/preview", json=body).json()
    assert lines(found, "gone") == ["zones: {kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}"]
    assert lines(found, "new") == ["zones: {kerb: {polygon: [[0.25, 0.6], [0.9, 0.6], [0.9, 0.8]]}}"]
    assert path.read_text("utf-8") == before, "a preview writes nothing"
    made = applied(admin, body).json()
    assert (made["number"], made["what"], made["who"], made["camera"]) == (2, "applied", "token:admin", NORTH)
    after = path.read_text("utf-8")
    assert [a for a, b in zip(after.splitlines(), before.splitlines(), strict=True) if a != b] == [
        "    zones: {kerb: {polygon: [[0.25, 0.6], [0.9, 0.6], [0.9, 0.8]]}}"
    ]
    assert path.stat().st_mode & 0o777 == 0o604
    assert load(path).config.cameras[NORTH].zones["kerb"].polygon[0] == (0.25, 0.6)
    assert made["config_version"] == load(path).version
    newest, first = admin.get(VERSIONS).json()
    assert (newest["number"], newest["in_force"], newest["why"]) == (2, True, "the kerb was moved")
    assert (first["what"], first["in_force"]) == ("found", False)
    kept = sorted((site.parts.config.data / "configuration").glob("*.yaml"))
    assert [one.read_text("utf-8") for one in kept] == [before, after]
    assert {one.stat().st_mode & 0o777 for one in kept} == {0o600}
    with site.parts.database.read() as connection:
        entries, _ = audit.page(connection, action="configuration", limit=5)
    assert [(one["who"], one["action"], one["subject"]) for one in entries] == [
        ("token:admin", "configuration.applied", f"camera {NORTH}")
    ]
    assert entries[0]["detail"]["why"] == "the kerb was moved"


FAULTS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("zones", {"name": "kerb", "was": "kerb", "polygon": [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]},
     {"what": "zones", "which": "kerb", "point": None}, "crosses edge"),
    ("zones", {"name": "kerb", "was": "kerb", "polygon": [[0.1, 0.1], [0.9, 1.2], [0.9, 0.1]]},
     {"what": "zones", "which": "kerb", "point": 1}, "outside the picture"),
    ("masks", {"polygon": [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]], "was": None},
     {"what": "masks", "which": 0, "point": None}, "in one line"),
    ("ground", {"picture": [0.1, 0.1], "metres": [0, 0], "was": None},
     {"what": "ground", "which": None, "point": None}, "at least 4 are needed"),
    ("rules", {"kind": "illegal_parking", "fields": {"zone": "kerb", "after": "soon"}, "was": 0},
     {"what": "rules", "which": 0, "key": "after"}, "expected a duration"),
    ("rules", {"kind": "crowding", "fields": {"zone": "nowhere", "people": "3"}, "was": None},
     {"what": "rules", "which": 0, "key": "zone"}, "unknown zone"),
    ("rules", {"kind": "crowding", "fields": {"zone": "kerb", "people": "many"}, "was": None},
     {"what": "rules", "which": 0, "key": "people"}, "expected a whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "value", "where", "words"), FAULTS, ids=lambda value: str(value)[:24])
def test_a_fault_has_its_line_in_the_file_and_its_place_on_the_picture_and_is_not_put_in_force(
    untouched: Site, part: str, value: dict[str, Any], where: dict[str, Any], words: str
) -> None:
    site, admin = untouched, untouched.client(Role.ADMIN)
    body = drawn(admin) | {part: [value]}
    before = path_of(site).read_bytes()
    found = admin.post(f"{URL}/preview", json=body).json()
    [fault] = found["faults"]
    assert words in fault["text"]
    assert fault["text"].startswith(f"site.yaml:{fault['line']}: cameras.{NORTH}.{part}")
    assert fault["where"] | where == fault["where"]
    new = {line["new"] for line in found["diff"] if line["kind"] == "new"}
    assert fault["line"] in new
    refused = applied(admin, body)
    assert (refused.status_code, refused.json()["code"]) == (422, "faults")
    assert path_of(site).read_bytes() == before
    assert admin.get(VERSIONS).json() == []


def test_a_ground_plane_that_cannot_be_is_a_fault_too_and_a_good_one_says_how_far_it_can_be_trusted(
    untouched: Site,
) -> None:
    admin = untouched.client(Role.ADMIN)
    places = [[0.1, 0.9], [0.9, 0.9], [0.7, 0.5], [0.3, 0.5]]
    metres = [[0, 0], [8, 0], [8, 15], [0, 15]]
    body = drawn(admin)
    body["ground"] = [{"picture": p, "metres": m} for p, m in zip(places, metres, strict=True)]
    found = admin.post(f"{URL}/preview", json=body).json()
    assert found["faults"] == []
    assert 0.0 < found["ground"]["error_m"] < 1.0
    assert [one["off_m"] for one in found["ground"]["points"]] == pytest.approx([0.0] * 4, abs=1e-6)
    assert "- {picture: [0.1, 0.9], metres: [0, 0]}" in lines(found, "new")
    body["ground"][0]["metres"], body["ground"][1]["metres"] = [8, 0], [0, 0]
    found = admin.post(f"{URL}/preview", json=body).json()
    [fault] = found["faults"]
    assert "the horizon would run between them" in fault["text"]
    assert fault["where"] | {"what": "ground", "which": None} == fault["where"]
    assert found["ground"] is None


def test_a_zone_is_renamed_with_its_rules_and_a_new_one_gets_a_rule(site: Site, admin: TestClient) -> None:
    body = drawn(admin)
    body["zones"][0]["name"] = "edge"
    body["rules"][0]["fields"] |= {"zone": "edge", "after": "90s"}
    body["zones"].append({"name": "lawn", "was": None, "polygon": [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]})
    body["rules"].append({"kind": "crowding", "was": None, "fields": {"zone": "lawn", "people": "12"}})
    assert applied(admin, body).status_code == 200
    camera = load(path_of(site)).config.cameras[NORTH]
    assert list(camera.zones) == ["edge", "lawn"]
    assert [(rule.kind, rule.zone) for rule in camera.rules] == [("illegal_parking", "edge"), ("crowding", "lawn")]
    text = path_of(site).read_text("utf-8")
    assert "rules: [{kind: illegal_parking, zone: edge, after: 90s}, {kind: crowding, zone: lawn, people: 12}]" in text


def test_secrets_stay_variables_and_are_on_no_page(
    site: Site, admin: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_PW", "s3cr3t-of-the-gate")
    monkeypatch.setenv("LIMIT", "4m")
    path = path_of(site)
    text = path.read_text("utf-8").replace("hunter2@192.0.2.10", "${GATE_PW}@192.0.2.10")
    path.write_text(
        text.replace("zone: kerb}", "zone: kerb, after: '${LIMIT}'}") + "# password: written-in-a-comment\n"
    )
    answers = [admin.get(URL)]
    assert answers[0].json()["rules"][0]["fields"]["after"] == "4m"
    body = moved(admin)
    answers += [admin.post(f"{URL}/preview", json=body), applied(admin, body)]
    assert "zone: kerb, after: '${LIMIT}'" in path.read_text("utf-8")
    assert "guard:${GATE_PW}@192.0.2.10" in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace("hunter2@192.0.2.11", "hunter3@192.0.2.12") + "# end\n")
    answers += [admin.get(f"{VERSIONS}/{number}") for number in (1, 2)]
    for answer in answers:
        assert answer.status_code == 200
        for secret in ("s3cr3t-of-the-gate", "hunter2", "hunter3", "written-in-a-comment"):
            assert secret not in answer.text
    assert "rtsp://***@192.0.2.12/main" in answers[-1].text, "what changes of an address is to be seen"
    assert "192.0.2.10" not in answers[-1].text


def test_the_fields_of_rules_are_keys_of_the_schema() -> None:
    for kind, names in FIELDS.items():
        known = known_keys(("cameras", "x", "rules", 0), {"cameras": {"x": {"rules": [{"kind": kind}]}}})
        assert set(names) <= set(known)
        assert set(defaults_of(kind)) == set(names)
    assert defaults_of("illegal_parking")["after"] == "3m"


# What it would have made of what was seen


def test_the_effect_is_that_of_a_replay(site: Site, admin: TestClient, clock: FakeClock) -> None:
    """Two cars stand 20 and 10 s in front of the north gate; the limit is 3 min, then 15 s."""
    config = load(path_of(site)).config
    cars = [
        Actor(tuple((at, x, 330.0) for at, x in ((b, -60.0), (b + 3, 320.0), (e, 320.0), (e + 3, 700.0))), looks=n)
        for n, (b, e) in enumerate(((0.0, 23.0), (30.0, 43.0)), start=1)
    ]
    kept: list[Chunk] = []
    engine, gatherer = Engine(camera_spec(config, NORTH)), TrackKeeper(NORTH, gathered(kept.append))
    for painted, detections in Stage(cars).play(50.0):
        frame = replace(painted, camera_id=NORTH)
        gatherer.before(frame.time_s, engine, "v1", lambda: rules_only(config.cameras[NORTH]))
        gatherer.after(engine.step(frame, rounded(detections)), frame)
    gatherer.end()
    for chunk in kept:
        write_chunk(config.data / "tracks", NORTH, chunk.from_s, encode(chunk))
    clock.advance(60.0)
    # This clock stands still while a real process works: so would the bucket of requests.
    site.parts.by_caller.take = lambda _key: 0.0  # type: ignore[method-assign]
    body = drawn(admin)
    body["zones"][0]["polygon"] = [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]]
    body["rules"][0]["fields"]["after"] = "15s"

    def outcome() -> dict[str, Any]:
        begun = admin.post(f"{URL}/effect", json=body | {"hours": 1}).json()
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(admin.get(f"/api/v1/configuration/effects/{begun['effect_id']}").json())
            return found["state"] not in ("waiting", "running")

        until(ended, 120, "the replay has ended")
        return found

    found = outcome()
    assert (found["state"], found["said"]) == ("done", "")
    assert found["result"]["summary"]["raised"] == 1
    [raised] = found["result"]["cameras"][0]["raised"]
    assert (raised["kind"], raised["zone"]) == ("illegal_parking", "kerb")
    assert not list((config.data / "configuration").glob("trial-*"))
    shutil.rmtree(config.data / "tracks" / NORTH)
    found = outcome()
    assert found["state"] == "nothing"
    assert "no tracks are kept" in found["said"]
    assert admin.get(f"/api/v1/configuration/effects/{'0' * 32}").status_code == 404
