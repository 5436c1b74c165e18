"""The worker as a process: killed, without its bus, with a new configuration. Real camera, detector and Valkey."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import STREAM, connect
from pipelines.samples import library
from pipelines.samples.cameras import SampleCameras
from pipelines.testing import until
from pipelines.testing_relay import Relay
from pipelines.tracks.folder import chunks, spools
from pipelines.tracks.reading import ChunkReader

pytestmark = [pytest.mark.model, pytest.mark.slow]


class Site:
    """One sample camera (the campus road), one bus, and a configuration that the tests rewrite."""

    def __init__(self, folder: Path, camera: dict[str, Any]) -> None:
        self.data = folder / "data"
        self.path = folder / "gatewatch.yaml"
        self.camera = camera
        self.bus = EmbeddedValkey(embedded_folder(self.data))
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log = folder / "worker.log"
        self.write()

    def write(self, **changes: Any) -> None:
        values = {"data": str(self.data), "cameras": {"campus": {**self.camera, **changes}}}
        part = self.path.with_suffix(".part")
        part.write_text(yaml.safe_dump(values, allow_unicode=True))
        part.replace(self.path)

    def start_worker(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "pipelines.cli", "worker", "-c", str(self.path)]
        with self.log.open("ab") as log:
            worker = subprocess.Popen(argv, stderr=log)
        self.workers.append(worker)
        return worker

    def said(self, text: str) -> int:
        return self.log.read_text().count(text)

    def events(self, phase: str) -> list[dict[str, Any]]:
        client = connect(self.bus.url)
        try:
            entries = client.xrange(STREAM)
        finally:
            client.close()
        assert isinstance(entries, list)
        every = [json.loads(entry[b"event"]) for _, entry in entries]
        # A machine that is busy with other work tells of its overload too.
        ours = (event for event in every if event["data"]["kind"] != "overload")
        return [event for event in ours if event["type"] == f"incident.{phase}"]

    def state(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.data / "state" / "campus.json").read_text())
        return loaded

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        self.bus.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SampleCameras(library.camera_list(1), library.streams_dir()) as cameras:
        values = library.camera_values(cameras.cameras[0])
        zones = {name: values["zones"][name] for name in ("double_yellow_lines",)}
        rule = {"kind": "illegal_parking", "zone": "double_yellow_lines", "warn_after": "3s", "after": "12s"}
        site = Site(tmp_path, {**values, "zones": zones, "rules": [rule]})
        site.bus.start()
        try:
            yield site
        finally:
            site.close()


def ids(events: list[dict[str, Any]]) -> list[str]:
    return sorted(event["subject"] for event in events)


def test_a_case_outlives_the_worker_the_bus_and_a_bad_configuration(site: Site) -> None:
    worker = site.start_worker()
    until(lambda: len(site.events("warned")) == 2, 60, "a warning for the van and one for the car")
    subjects = ids(site.events("warned"))

    tracks = site.data / "tracks"
    until(lambda: spools(tracks, "campus"), 90, "tracks on the disk")
    maps = Path(f"/proc/{worker.pid}/maps").read_text()
    assert "openvino" in maps
    assert "arrow" not in maps, "what writes Parquet is never part of a worker"
    assert "cryptography" not in maps, "nor what signs footage"
    assert "tensorflow" not in maps, "nor what converts models"
    killed_s = time.time()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker = site.start_worker()
    until(lambda: site.said('"analysing"') == 2, 60, "the second worker at work")
    until(lambda: chunks(tracks, "campus"), 60, "a chunk of what the first one saw")
    assert ChunkReader(chunks(tracks, "campus")[0].path).to_s <= time.time()
    site.bus.stop()
    until(lambda: site.said('"illegal_parking opened"') == 2, 60, "both cases open while the bus is away")
    blind_s = time.time() - killed_s
    site.bus.start()
    until(lambda: len(site.events("opened")) == 2, 90, "the spool is replayed")
    assert ids(site.events("opened")) == subjects, "the same incidents as before the kill"
    assert ids(site.events("warned")) == subjects, "no warning twice"
    for event in site.events("opened"):
        data = event["data"]
        # Not before the limit; after it by no more than the time in which nobody looked (start and lease of the second).
        assert 11.8 <= data["opened_s"] - data["first_seen_s"] <= 12.0 + blind_s
        assert {picture["role"] for picture in data["pictures"]} >= {"first_seen", "limit"}
        for picture in data["pictures"]:
            assert (site.data / "pictures" / picture["path"]).is_file()

    site.path.write_text(site.path.read_text().replace("double_yellow_lines", "double_yellow_line", 1))
    until(lambda: site.said("the old one stays in force") == 1, 90, "the fault is told")
    assert site.events("closed") == []
    site.write(rules=[])
    until(lambda: len(site.events("closed")) == 2, 90, "the cases of a removed rule close")
    assert ids(site.events("closed")) == subjects
    assert {event["data"]["close_reason"] for event in site.events("closed")} == {"configuration"}
    versions = {event["config_version"] for event in site.events("closed") + site.events("opened")}
    assert len(versions) == 2, "each message says under which configuration it was made"

    worker.terminate()
    assert worker.wait(90) == 0
    assert "unpublished" in site.state()
    assert site.state()["unpublished"] == []


def test_a_worker_told_to_end_while_it_still_compiles_ends_well(site: Site) -> None:
    worker = site.start_worker()
    until(lambda: site.said('"worker is up"') == 1, 60, "the worker is up")
    worker.terminate()
    assert worker.wait(60) == 0


def test_a_second_worker_stands_by_and_takes_over_the_case(site: Site) -> None:
    first = site.start_worker()
    until(lambda: len(site.events("warned")) == 2, 60, "the first worker at work")
    second = site.start_worker()
    until(lambda: site.said('"worker is up"') == 2, 60, "the second worker is up")
    assert site.said('"analysing"') == 1, "the lease keeps it off the camera"
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    until(lambda: len(site.events("opened")) == 2, 60, "the second worker opens what the first one saw")
    assert ids(site.events("opened")) == ids(site.events("warned"))
    assert second.poll() is None


def test_what_closed_while_no_worker_ran_is_told_at_the_next_start(site: Site) -> None:
    worker = site.start_worker()
    until(lambda: len(site.events("warned")) == 2, 60, "two warnings")
    worker.terminate()
    assert worker.wait(90) == 0
    site.write(zones={}, rules=[])
    site.start_worker()
    until(lambda: len(site.events("closed")) == 2, 60, "the cases of the removed zone are closed")
    assert ids(site.events("closed")) == ids(site.events("warned"))


def test_credentials_reach_neither_the_log_nor_the_process_list(site: Site) -> None:
    secret = "s3cret-gate-word"
    site.write(sub={"url": f"rtsp://guard:{secret}@127.0.0.1:1/none"})
    worker = site.start_worker()
    until(lambda: site.said("connecting again") >= 1, 60, "a failed connection is told")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            assert secret.encode() not in command
    worker.terminate()
    worker.wait(90)
    assert secret not in site.log.read_text()


def test_a_camera_that_falls_silent_is_an_incident_until_it_speaks_again(site: Site) -> None:
    address = urlsplit(site.camera["sub"]["url"])
    assert address.port is not None
    relay = Relay(address.port).start()
    try:
        through = address._replace(netloc=f"127.0.0.1:{relay.port}").geturl()
        site.write(sub={"url": through}, rules=[], health={"signal_lost": "6s"})
        worker = site.start_worker()
        until((site.data / "state" / "campus.json").is_file, 60, "the camera is analysed")
        assert site.events("opened") == []
        relay.mode = "hold"  # the connection stands, and nothing comes
        until(lambda: len(site.events("opened")) == 1, 60, "the silence is told")
        (opened,) = site.events("opened")
        assert (opened["data"]["kind"], opened["data"]["zone"], opened["data"]["severity"]) == ("signal_lost", "", 2)
        assert opened["data"]["opened_s"] - opened["data"]["first_seen_s"] >= 6.0

        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        site.start_worker()
        until(lambda: site.said('"analysing"') == 2, 60, "the second worker at work")
        relay.mode = "pass"
        relay.drop()
        until(lambda: len(site.events("closed")) == 1, 60, "the camera is back")
        assert ids(site.events("closed")) == ids(site.events("opened")), "one incident over the restart"
    finally:
        relay.stop()
