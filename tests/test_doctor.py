"""The doctor on machines and sites of every kind: real servers, sockets and files; other machines by their /proc."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.config.loader import load_text
from pipelines.crowding.loading import HEAD, load_head
from pipelines.doctor import machine, packages, programs, site
from pipelines.doctor.findings import Finding, Level
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.redis_streams import connect
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.store.database import Database, sqlite_url

FFMPEG = Ffmpeg.find()


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


# The machine


def test_old_python_fails_and_this_one_is_good() -> None:
    assert packages.check_python((3, 10, 9)).level is Level.FAIL
    assert packages.check_python().level is Level.OK


@pytest.mark.parametrize(
    ("flags", "level", "word"),
    [
        ("fpu avx2 avx512_vnni", Level.OK, "VNNI"),
        ("fpu avx2 avx_vnni", Level.OK, "full speed"),
        ("fpu avx2", Level.OK, "half as many"),
        ("fpu sse4_2", Level.WARN, "no AVX2"),
    ],
)
def test_processor_by_its_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, level: Level, word: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    finding = machine.check_processor(cpuinfo, cores=4)
    assert finding.level is level
    assert word in finding.said
    assert "4 cores" in finding.said


def test_unreadable_proc_is_a_warning_and_no_crash(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("nonsense")
    assert machine.check_memory(tmp_path / "missing").level is Level.WARN
    assert machine.check_memory(broken).level is Level.WARN


@pytest.mark.parametrize(("free_kib", "level"), [(8 * 2**20, Level.OK), (1 * 2**20, Level.WARN)])
def test_memory_by_what_is_free(tmp_path: Path, free_kib: int, level: Level) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: {16 * 2**20} kB\nMemAvailable: {free_kib} kB\n")
    assert machine.check_memory(meminfo).level is level


def test_open_files_are_counted_by_cameras() -> None:
    assert machine.check_open_files(16, (1024, 4096)).level is Level.OK
    finding = machine.check_open_files(64, (1024, 4096))
    assert finding.level is Level.WARN
    assert "ulimit -n 2304" in finding.mend


@pytest.mark.parametrize(("state", "level"), [(True, Level.OK), (False, Level.WARN), (None, Level.WARN)])
def test_clock_says_what_the_kernel_says(state: bool | None, level: Level) -> None:
    assert machine.check_clock(state).level is level


def test_kernel_can_be_asked_for_its_clock() -> None:
    assert machine.kernel_clock_synchronised() in {True, False, None}


def test_time_zones_and_fonts(tmp_path: Path) -> None:
    assert machine.check_timezone("Asia/Shanghai").level is Level.OK
    assert machine.check_timezone("Mars/Base").level is Level.FAIL
    assert machine.check_fonts("zh-CN", False, (tmp_path,)).level is Level.WARN
    assert "fonts-noto-cjk" in machine.check_fonts("zh-CN", True, (tmp_path,)).said
    (tmp_path / "NotoSansCJK-Regular.ttc").touch()
    assert "NotoSansCJK" in machine.check_fonts("zh-CN", True, (tmp_path, tmp_path / "none")).said


def test_opencv_here_draws_chinese() -> None:
    assert programs.opencv_draws_chinese()


# Packages and programs


def test_every_package_that_gatewatch_names_is_looked_for() -> None:
    names = packages.required_packages()
    assert {"numpy", "redis", "pydantic", "openvino"} <= set(names)
    assert not {"pytest", "torch"} & set(names)
    assert packages.check_packages(["pydantic", "PyYAML"]).level is Level.OK


def test_missing_and_broken_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_thing.py").write_text("raise ImportError('libbroken.so.1: cannot open shared object file')")
    (tmp_path / "broken_thing-1.0.dist-info").mkdir()
    (tmp_path / "broken_thing-1.0.dist-info/METADATA").write_text("Name: broken-thing\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finding = packages.check_packages(["pydantic", "no-such-thing", "broken-thing"])
    assert finding.level is Level.FAIL
    assert "no-such-thing is missing" in finding.said
    assert "broken-thing cannot be imported (libbroken.so.1" in finding.said


def test_what_is_not_compiled_is_named() -> None:
    assert programs.check_compiled({"boxes": True, "other": True}).level is Level.OK
    finding = programs.check_compiled({"boxes": True, "other": False})
    assert finding.level is Level.WARN
    assert "other" in finding.said
    assert "boxes" not in finding.said
    assert "gcc" in finding.mend


def test_ffmpeg_here_has_what_is_needed() -> None:
    assert programs.check_ffmpeg(None).level is Level.OK
    assert {"mov", "mp4", "rtsp"} <= FFMPEG.features("demuxers")


def test_ffmpeg_that_lacks_something_or_is_none_fails(tmp_path: Path) -> None:
    poor = tmp_path / "ffmpeg"
    poor.write_text("#!/bin/sh\nif [ $1 = -version ]; then echo ffmpeg version 1.0; else echo; fi\n")
    poor.chmod(0o755)
    finding = programs.check_ffmpeg(poor)
    assert finding.level is Level.FAIL
    assert "encoders aac, libx264" in finding.said
    assert programs.check_ffmpeg(tmp_path / "missing").level is Level.FAIL


def test_a_damaged_head_is_found_and_what_is_not_done_without_it_is_said(tmp_path: Path) -> None:
    assert list(programs.check_head("no crowds", lambda: load_head(tmp_path))) == []
    head = tmp_path / "models" / HEAD
    head.parent.mkdir(parents=True)
    head.write_bytes(b"")
    finding = only(programs.check_head("no crowds", lambda: load_head(tmp_path)))
    assert finding.level is Level.FAIL
    assert str(head) in finding.said
    assert "no crowds" in finding.said


def test_missing_samples_are_only_a_warning(tmp_path: Path) -> None:
    assert only(programs.check_samples(tmp_path)).level is Level.WARN


# The site


def test_data_folder_is_really_written(tmp_path: Path) -> None:
    assert only(site.check_data(tmp_path / "new/folder")).said.endswith("(will be made)")
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "file"
    file.touch()
    finding = only(site.check_data(file))
    assert finding.level is Level.FAIL
    assert str(file) in finding.said


def test_disk_is_judged_by_what_the_recorder_leaves_free(tmp_path: Path) -> None:
    assert site.check_disk(tmp_path, 0, records=True).level is Level.OK
    finding = site.check_disk(tmp_path, 2**60, records=True)
    assert finding.level is Level.WARN
    assert "1048576TiB" in finding.mend
    assert site.check_disk(tmp_path, 2**60, records=False).level is Level.OK


def test_port_in_use_is_a_warning_that_names_it(listener: tuple[str, int]) -> None:
    host, port = listener
    text = f"worker: {{metrics: {{host: {host}, port: {port}}}}}"
    finding = only(site.check_ports(load_text(text, "x.yaml", {})))
    assert finding.level is Level.WARN
    assert f"worker {host}:{port}" in finding.said
    assert "worker.metrics" in finding.mend


def test_cameras_are_knocked_at_without_showing_credentials(listener: tuple[str, int], tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    text = f"""
cameras:
  good: {{main: {{url: "rtsp://guard:hunter2@127.0.0.1:{listener[1]}/1"}}, sub: {{url: {clip}}}}}
  dead: {{main: {{url: "rtsp://guard:hunter2@127.0.0.1:{closed}/1"}}}}
  lost: {{main: {{url: "rtsp://guard:hunter2@camera.invalid/1"}}, sub: {{url: {tmp_path}/none.mp4}}}}
"""
    findings = {finding.name: finding for finding in site.check_cameras(load_text(text, "x.yaml", {}))}
    assert findings["Camera good"].level is Level.OK
    assert findings["Camera dead"].said == f"main: 127.0.0.1:{closed}: Connection refused"
    assert findings["Camera lost"].said == (
        f"main: the name camera.invalid does not resolve; sub: {tmp_path}/none.mp4 is not there"
    )
    assert "hunter2" not in repr(findings)


def test_redis_that_keeps_is_good_and_one_that_does_not_is_warned_of(tmp_path: Path) -> None:
    assert only(site.check_redis(None)).level is Level.OK
    with EmbeddedValkey(tmp_path / "bus") as server:
        assert only(site.check_redis(server.url)).level is Level.OK
        client = connect(server.url)
        client.config_set("appendonly", "no")
        client.config_set("save", "")
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        finding = only(site.check_redis(server.url))
        client.close()
        assert finding.level is Level.WARN
        assert "a crash loses events (nothing is kept)" in finding.said
        assert "allkeys-lru" in finding.said
        assert "appendonly yes" in finding.mend
        url = server.url
    finding = only(site.check_redis(url))
    assert finding.level is Level.FAIL


def test_redis_on_the_network_without_a_password_is_told_apart() -> None:
    assert site.leads_elsewhere("redis://192.0.2.1/0")
    assert not any(
        map(
            site.leads_elsewhere,
            ["redis://127.0.0.1/0", "redis://localhost:6380/0", "unix:///x.sock", "redis://[::1]/"],
        )
    )


def test_database_is_asked_and_never_made(tmp_path: Path) -> None:
    assert only(site.check_database(None, tmp_path)).said == "sqlite, made at the first start"
    assert list(tmp_path.iterdir()) == []
    database = Database(sqlite_url(tmp_path))
    database.migrate()
    assert only(site.check_database(None, tmp_path)).said == "sqlite answers"
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "gatewatch.db").write_bytes(b"no database at all" * 1000)
    assert only(site.check_database(None, broken)).level is Level.FAIL


def test_database_that_cannot_be_reached_fails_without_its_password() -> None:
    finding = only(
        site.check_database("postgresql+psycopg://gatewatch:hunter2@127.0.0.1:1/gatewatch", Path("/nowhere"))
    )
    assert finding.level is Level.FAIL
    assert "hunter2" not in repr(finding)


# The command


def test_command_reads_well_and_fails_only_for_what_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gatewatch.yaml").write_text(f"data: {tmp_path}/data\nffmpeg: {tmp_path}/none\n")
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert f"fail  ffmpeg          ffmpeg: {tmp_path}/none is not an executable" in said.replace("\n" + " " * 22, " ")
    assert "-> leave the key ffmpeg out" in said
    assert "Something would stop Gatewatch." in said
    assert "\x1b[" not in said


def test_command_tells_a_bad_configuration_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWATCH_HOME", str(tmp_path / "home"))
    (tmp_path / "gatewatch.yaml").write_text("site: {nam: x}\n")
    assert main(["doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    findings = {finding["name"]: finding for finding in said["findings"]}
    assert findings["Configuration"]["level"] == "fail"
    assert "site.nam: unknown key" in findings["Configuration"]["said"]
    assert findings["Python"]["level"] == "ok"
    assert said["ok"] is False
    assert said["counts"]["fail"] == sum(finding["level"] == "fail" for finding in said["findings"])
    assert all(finding["mend"] for finding in said["findings"] if finding["level"] != "ok")


def test_command_without_packages_still_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "required_packages", lambda: ["no-such-thing"])
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "no-such-thing is missing" in said
    assert "Processor" not in said
