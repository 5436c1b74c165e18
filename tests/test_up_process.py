"""`gatewatch up`: one command, the whole chain, and nothing left behind when it ends or is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.samples import library
from pipelines.samples.cameras import SampleCameras, free_port
from pipelines.testing import until

pytestmark = [pytest.mark.model, pytest.mark.slow]

GATEWATCH = (sys.executable, "-m", "pipelines.cli")


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    with SampleCameras(library.camera_list(1), library.streams_dir()) as served:
        camera = library.camera_values(served.cameras[0])
        camera["rules"] = [{"kind": "illegal_parking", "zone": "double_yellow_lines", "after": "5s"}]
        values = {
            "data": str(tmp_path / "data"),
            "cameras": {"campus": camera},
            "recording": {"reserve_free": "0B"},
            "channels": {"log": False, "jsonl": str(tmp_path / "alerts.jsonl")},
            "worker": {"metrics": {"port": free_port()}},
            "dispatcher": {"metrics": {"port": free_port()}},
            "recorder": {"metrics": {"port": free_port()}},
            "console": {"port": free_port(), "metrics": {"port": free_port()}},
        }
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump(values, allow_unicode=True))
        yield path


def members(config: Path) -> dict[int, str]:
    """Processes whose command line names this site: its folder or its configuration."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if str(config.parent) in command and state != "Z":
                found[int(entry.name)] = command
    return found


def still_of(config: Path, incident_id: str) -> Any:
    """What the record has of the main stream at the limit."""
    shown = subprocess.run(
        [*GATEWATCH, "incidents", "show", incident_id, "-c", str(config), "--json"],
        capture_output=True,
        check=True,
        text=True,
    )
    stills = json.loads(shown.stdout)["stills"] or []
    return next((one for one in stills if one["role"] == "limit"), None)


def test_a_site_comes_up_tells_an_incident_and_goes_without_a_trace(config: Path) -> None:
    log = config.with_name("up.log")
    with log.open("wb") as file:
        site = subprocess.Popen([*GATEWATCH, "up", "-c", str(config)], stderr=file)
    try:
        alerts = config.with_name("alerts.jsonl")
        until(lambda: alerts.is_file() and len(alerts.read_text().splitlines()) >= 2, 90, "two alerts")
        listed = subprocess.run(
            [*GATEWATCH, "incidents", "list", "-c", str(config), "--json"], capture_output=True, check=True, text=True
        )
        assert [row["kind"] for row in json.loads(listed.stdout)] == ["illegal_parking", "illegal_parking"]
        until(lambda: list((config.with_name("data") / "recordings").rglob("*clip*/**/*.mp4")), 90, "a clip is made")
        pictures = config.with_name("data") / "pictures"
        until(lambda: list(pictures.rglob("limit.main.jpg")), 90, "a picture is cut from the recorded main stream")
        (name,) = {path.parent.name for path in list(pictures.rglob("limit.main.jpg"))[:1]}
        until(lambda: still_of(config, name) is not None, 90, "the record has it")
        still = still_of(config, name)
        assert (still["source"], still["width"], still["height"]) == ("recorded main stream", 768, 576)
        assert abs(still["off_s"]) <= 0.5
        segments = config.with_name("data")
        until(lambda: list(segments.rglob("*.part")) or list(segments.rglob("*.mp4")), 60, "footage is written")

        worker = next(pid for pid, command in members(config).items() if "pipelines.cli worker" in command)
        os.kill(worker, signal.SIGKILL)
        until(lambda: "worker ended (signal 9)" in log.read_text(), 90, "the death is told")
        until(
            lambda: any(
                pid != worker and "pipelines.cli worker" in command for pid, command in members(config).items()
            ),
            30,
            "the worker is started again",
        )

        site.send_signal(signal.SIGINT)
        assert site.wait(60) == 0
        assert members(config) == {}
    finally:
        site.kill()
        site.wait()


def test_a_killed_supervisor_takes_everything_with_it(config: Path) -> None:
    with config.with_name("up.log").open("wb") as file:
        site = subprocess.Popen([*GATEWATCH, "up", "-c", str(config)], stderr=file)
    try:
        until(lambda: len(members(config)) >= 5, 60, "supervisor, bus, recorder, dispatcher and worker run")
    finally:
        site.kill()
        site.wait()
    until(lambda: members(config) == {}, 90, "nothing is left")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cameras: {}\n", "names no camera"),
        ("camera: {}\n", "site.yaml:1: camera: unknown key"),
        (None, "there is no such file"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "site.yaml"
    if text is not None:
        path.write_text(text)
    result = subprocess.run(
        [*GATEWATCH, "up", "-c", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
