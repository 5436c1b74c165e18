"""A drill from the janitor's clock to each channel, with real processes: where it arrives it is measured, where it does not it is
an alarm."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.locate import embedded_folder
from pipelines.testing import until

#: So long both processes may take to start and to tell.
PATIENCE_S = 40.0


def port_of(log: Path) -> int | None:
    for line in log.read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if "port" in entry:
            return int(entry["port"])
    return None


@pytest.mark.slow
def test_a_drill_is_followed_to_each_channel_and_its_absence_is_an_alarm(tmp_path: Path) -> None:
    told = tmp_path / "alerts.jsonl"

    def lines(kind: str) -> list[dict[str, Any]]:
        every = [json.loads(line) for line in told.read_text("utf-8").splitlines()] if told.exists() else []
        return [line for line in every if line["event"]["data"]["kind"] == kind]

    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    # A janitor makes a drill that began up to a minute ago.
    time.sleep(max(0.0, 60 - time.time() % 60) if time.time() % 60 > 30 else 0.0)
    begun_s = time.time() // 60 * 60
    begin, end = (time.strftime("%H:%M", time.gmtime(at_s)) for at_s in (begun_s, begun_s + 600))
    within_s = round(time.time() - begun_s + PATIENCE_S)
    config = tmp_path / "gatewatch.yaml"
    config.write_text(
        f"data: {tmp_path}\nsite: {{timezone: UTC, language: en}}\n"
        f"channels: {{log: false, jsonl: {told}, webhook: {{url: 'http://127.0.0.1:{nobody}/', secret: of a test}}}}\n"
        "recipients: {wang: {name: Wang, channels: [jsonl, webhook]}}\n"
        f"alerts: {{drill: {{schedule: 'daily {begin}-{end}', within: {within_s}s}}}}\n"
    )
    command = [sys.executable, "-m", "pipelines.cli"]
    log = tmp_path / "dispatch.log"
    processes: list[subprocess.Popen[bytes]] = []
    with EmbeddedValkey(embedded_folder(tmp_path)), log.open("wb") as said:
        try:
            for words in (["dispatch", "--health-port", "0", "--log", "json"], ["janitor"]):
                processes.append(subprocess.Popen([*command, *words, "-c", str(config)], stderr=said))
            until(lambda: lines("drill"), PATIENCE_S, "the drill")
            (opened,) = lines("drill")
            assert (opened["recipient"], opened["event"]["data"]["drill"], opened["test"]) == ("wang", True, False)
            assert "drill" in opened["title"].lower()
            until(lambda: lines("drill_failed"), within_s + 60, "the alarm")
            (alarm,) = lines("drill_failed")
            assert alarm["event"]["data"]["evidence"]["missing"]["value"] == "Wang (webhook)"
            assert alarm["event"]["data"]["severity"] == 1
            port = port_of(log)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
                metrics = page.read().decode()
            (line,) = (line for line in metrics.splitlines() if line.startswith("gatewatch_drill_delay_seconds{"))
            assert line.startswith('gatewatch_drill_delay_seconds{channel="jsonl"} ')
            assert 0 < float(line.split()[-1]) < within_s
        finally:
            for process in processes:
                process.terminate()
            assert [process.wait(60) for process in processes] == [0] * len(processes)
