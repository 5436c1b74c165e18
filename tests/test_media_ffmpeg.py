"""ffmpeg as Gatewatch calls it: nothing secret in its arguments, nothing left behind when the parent dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import ffmpeg
import pytest

from pipelines import children
from pipelines.errors import BadInput
from pipelines.media.ffmpeg import Ffmpeg, FfmpegError, hidden_input, rtsp_input
from pipelines.media.urls import is_live, is_url, redact
from pipelines.testing import alive, until


def test_an_encoding_runs_and_a_bad_one_says_why(tmp_path: Path) -> None:
    binary = Ffmpeg.find()
    out = tmp_path / "out.mp4"
    graph = ffmpeg.input("testsrc=size=64x48:rate=10:duration=1", f="lavfi").output(str(out), vcodec="libx264")
    binary.run(graph)
    assert out.stat().st_size > 500
    with pytest.raises(FfmpegError, match="No such file"):
        binary.run(ffmpeg.input(str(tmp_path / "missing.mp4")).output(str(out)))


def test_a_configured_binary_must_exist() -> None:
    with pytest.raises(BadInput, match="/nowhere/ffmpeg is not an executable file"):
        Ffmpeg.find(Path("/nowhere/ffmpeg"))
    assert Ffmpeg.find().version()


def test_the_address_of_a_camera_is_not_among_the_arguments_and_not_in_the_last_words(tmp_path: Path) -> None:
    source = rtsp_input("rtsp://admin:s3cr'et@127.0.0.1:1/Streaming/Channels/101", timeout_s=2)
    graph = source.node.output(str(tmp_path / "out.ts"), c="copy")
    process = Ffmpeg.find().spawn(graph, source)
    try:
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"s3cr" not in command
        assert process.wait(90) not in (None, 0)
    finally:
        process.stop()
    assert "s3cr" not in process.last_words()
    assert "127.0.0.1" in process.last_words()


def test_a_graph_with_credentials_among_its_arguments_is_refused(tmp_path: Path) -> None:
    graph = ffmpeg.input("rtsp://admin:secret@127.0.0.1:1/x").output(str(tmp_path / "out.ts"), c="copy")
    with pytest.raises(FfmpegError, match="refused"):
        Ffmpeg.find().spawn(graph)


def test_a_file_with_a_quote_in_its_name_can_be_a_hidden_input(tmp_path: Path) -> None:
    binary = Ffmpeg.find()
    first = tmp_path / "it's one.mp4"
    binary.run(ffmpeg.input("testsrc=size=64x48:rate=10:duration=1", f="lavfi").output(str(first), vcodec="libx264"))
    source = hidden_input(str(first))
    copied = tmp_path / "copy.mp4"
    binary.run(source.node.output(str(copied), c="copy"), source)
    assert copied.stat().st_size > 500
    with pytest.raises(BadInput, match="one line"):
        hidden_input("rtsp://x/\nfile '/etc/passwd'")


def test_a_chatty_child_is_drained_and_only_its_last_lines_are_kept(tmp_path: Path) -> None:
    noise = tmp_path / "noise.h264"
    noise.write_bytes(os.urandom(2_000_000))
    graph = ffmpeg.input(str(noise), f="h264", err_detect="aggressive").output("-", f="null")
    process = Ffmpeg.find().spawn(graph)
    assert process.wait(60) is not None
    assert 0 < len(process.last_words().splitlines()) <= 20


def test_a_running_child_stops_when_asked(tmp_path: Path) -> None:
    graph = ffmpeg.input("testsrc=size=64x48:rate=10", f="lavfi", re=None).output(
        str(tmp_path / "out.ts"), vcodec="libx264"
    )
    process = Ffmpeg.find().spawn(graph)
    assert process.wait(0.3) is None
    process.stop()
    assert not alive(process.pid)


PARENT = """
import subprocess, sys, time
from pipelines import children
child = children.spawn(["sleep", "600"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_child_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: not alive(child))


def test_a_program_that_does_not_exist_ends_with_127() -> None:
    process = children.spawn(["no-such-program"], stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 127
    assert b"no-such-program: No such file" in said


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("rtsp://u:p@h:554/a", "rtsp://***@h:554/a"),
        ("rtsp://u:p@ss@h/a", "rtsp://***@h/a"),
        ("open 'rtsp://u:p@h/a' failed", "open 'rtsp://***@h/a' failed"),
        ("rtsp://h/user=admin&password=x&channel=1", "rtsp://h/user=***&password=***&channel=1"),
        ("http://h/a?token=abc&b=1", "http://h/a?token=***&b=1"),
        ("rtsp://h/a@b", "rtsp://h/a@b"),
        ("/data/a.mp4", "/data/a.mp4"),
    ],
)
def test_redact(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_what_is_a_url_and_what_is_live() -> None:
    assert is_url("rtsp://h/a")
    assert not is_url("/a/b.mp4")
    assert is_live("RTSP://h/a")
    assert not is_live("http://h/a.mp4")
