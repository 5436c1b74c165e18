"""`gatewatch config check | show | schema` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.config.loader import load_text, version_of

SITE = """
cameras:
  gate:
    main: {url: "rtsp://guard:${PASSWORD}@192.0.2.1/1?token=hunter2"}
    zones: {kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}
    rules: [{kind: illegal_parking, zone: kerb, except: never}]
channels: {webhook: {url: "https://192.0.2.2/alerts?access_token=hunter2", secret: "${PASSWORD}"}}
database: {url: "postgresql+psycopg://gatewatch:hunter2@192.0.2.3/gatewatch"}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSWORD", "hunter2")
    path = tmp_path / "gatewatch.yaml"
    path.write_text(SITE)
    return path


def test_good_file_is_one_line(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "-c", str(site)]) == 0
    version = version_of(load_text(SITE, "x", {"PASSWORD": "x"}))
    assert capsys.readouterr().out == f"{site}: good (1 camera, 1 zone, 1 rule; version {version})\n"


@pytest.mark.usefixtures("site")
def test_file_in_the_current_folder_is_read_when_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.startswith("gatewatch.yaml: good")


def test_without_any_file_the_defaults_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.startswith("no file, the defaults: good (0 cameras")


def test_bad_file_says_every_fault_on_standard_error_and_exits_2(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write_text("site: {nam: x}\nredis: {url: 5}\n")
    assert main(["config", "check"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "gatewatch.yaml:1: site.nam: unknown key; allowed: language, name, timezone (did you mean name?)",
        "gatewatch.yaml:2: redis.url: expected text; write it in quotes; got '5'",
        "2 faults",
    ]


def test_check_as_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["cameras"], said["zones"], said["rules"], said["faults"]) == (True, 1, 1, 1, [])
    site.write_text("x: 1\n")
    assert main(["config", "check", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert len(said["faults"]) == 1


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_show_has_every_key_no_secret_and_can_be_read_again(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "show", *arguments]) == 0
    said = capsys.readouterr().out
    assert "hunter2" not in said
    assert "rtsp://***@192.0.2.1/1?token=***" in said
    again = load_text(said, "shown.yaml", {})
    assert again.cameras["gate"].rules[0].except_ == "never"
    assert again.cameras["gate"].rules[0].after == 180.0
    assert again.recording.reserve_free == 50 * 2**30


@pytest.mark.usefixtures("site")
def test_show_of_a_bad_file_exits_2_without_a_traceback(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text("x: 1\n")
    assert main(["config", "show"]) == 2
    assert capsys.readouterr().err.startswith("gatewatch: gatewatch.yaml:1: x: unknown key")


def test_schema_describes_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    missing = [
        f"{name}.{key}"
        for name, section in {"Config": schema, **schema["$defs"]}.items()
        for key, about in section["properties"].items()
        if "const" not in about and "description" not in about and "$ref" not in about
    ]
    assert missing == []
    closed = [name for name, section in schema["$defs"].items() if section.get("additionalProperties") is not False]
    assert closed == []
    undescribed = [name for name, section in schema["$defs"].items() if not section.get("description")]
    assert undescribed == []


def test_limits_that_contradict_across_levels_are_found_too(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text("recording: {profile: cn-counter-terror, keep: 30d}\n")
    assert main(["config", "check"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("gatewatch.yaml: recording: ")
    assert "keep (30 d) is below the floor (90 d)" in said
