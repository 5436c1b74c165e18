"""Sample footage: pulled whole or not at all, encoded as cameras send it, served as RTSP cameras that loop."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import ffmpeg
import pytest

from pipelines.commands import samples as command
from pipelines.config import load
from pipelines.errors import BadInput, Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.samples import catalogue, library
from pipelines.samples.cameras import SampleCamera, free_port
from pipelines.samples.catalogue import SampleFile, Source
from pipelines.samples.encode import MAIN, SUB, encode
from pipelines.samples.pull import pull, sha256_of

BYTES = os.urandom(3000)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on the loopback and the folder that it serves."""
    root = tmp_path / "web"
    root.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(root))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", root
    server.shutdown()
    thread.join()
    server.server_close()


def sample_file(tmp_path: Path, *sources: Source, data: bytes = BYTES) -> SampleFile:
    truth = tmp_path / "truth.bin"
    truth.write_bytes(data)
    return SampleFile("clip.bin", "noise", sha256_of(truth), len(data), "none", sources)


def test_the_first_source_with_the_right_bytes_is_used(tmp_path: Path, web: tuple[str, Path]) -> None:
    url, root = web
    (root / "wrong").write_bytes(b"a page that says no")
    (root / "right").write_bytes(BYTES)
    said: list[str] = []
    file = sample_file(
        tmp_path,
        Source("url", f"http://127.0.0.1:{free_port()}/x"),
        Source("url", f"{url}/missing"),
        Source("url", f"{url}/wrong"),
        Source("url", f"{url}/right"),
    )
    place = pull(file, tmp_path / "into", said.append)
    assert place.read_bytes() == BYTES
    assert len(said) == 4
    # Quick when repeated: no source is asked again.
    pull(file, tmp_path / "into", said.append)
    assert len(said) == 4


def test_when_no_source_has_it_each_answer_is_told_and_nothing_is_left(tmp_path: Path, web: tuple[str, Path]) -> None:
    url, root = web
    (root / "half").write_bytes(BYTES[:1000])
    file = sample_file(
        tmp_path,
        Source("url", f"{url}/half"),
        Source("url", f"{url}/gone"),
        Source("debian", "no-such-package-at-all", "x"),
    )
    into = tmp_path / "into"
    with pytest.raises(Unavailable) as failed:
        pull(file, into, lambda _text: None)
    message = str(failed.value)
    assert "half: not the file that is wanted (1000 bytes" in message
    assert "gone: HTTP Error 404" in message or "gone: Not Found" in message or "gone: File not found" in message
    assert "debian no-such-package-at-all:" in message
    assert f"whose sha256 must be {file.sha256}: cp FILE {tmp_path}" in message
    assert list(into.iterdir()) == []


def test_a_damaged_file_is_pulled_again(tmp_path: Path, web: tuple[str, Path]) -> None:
    url, root = web
    (root / "right").write_bytes(BYTES)
    file = sample_file(tmp_path, Source("url", f"{url}/right"))
    into = tmp_path / "into"
    into.mkdir()
    (into / "clip.bin").write_bytes(b"\0" * len(BYTES))
    assert pull(file, into, lambda _text: None).read_bytes() == BYTES


def test_a_copy_of_ones_own_is_checked_too(tmp_path: Path) -> None:
    own = tmp_path / "own.avi"
    own.write_bytes(BYTES)
    file = sample_file(tmp_path, Source("url", "http://127.0.0.1:1/never-asked"))
    assert pull(file, tmp_path / "into", lambda _text: None, own).read_bytes() == BYTES
    own.write_bytes(b"something else")
    with pytest.raises(Unavailable, match="not the file"):
        pull(file, tmp_path / "other", lambda _text: None, own)


def test_a_wrong_catalogue_is_named(tmp_path: Path) -> None:
    place = tmp_path / "catalogue.yaml"
    place.write_text("files: {a: {what: x}}")
    with pytest.raises(BadInput, match=r"catalogue\.yaml: not a catalogue"):
        catalogue.load(place)
    place.write_text("files: {a: [")
    with pytest.raises(BadInput, match=r"catalogue\.yaml:1: not YAML"):
        catalogue.load(place)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clip") / "source.mp4"
    Ffmpeg.find().run(
        ffmpeg.input("testsrc2=size=768x576:rate=10:duration=5", f="lavfi").output(str(out), vcodec="libx264", crf=18)
    )
    return out


@pytest.mark.parametrize("profile", [MAIN, SUB])
def test_streams_are_as_cameras_send_them(clip: Path, tmp_path: Path, profile: object) -> None:
    assert profile in (MAIN, SUB)
    wanted = MAIN if profile is MAIN else SUB
    out = encode(clip, tmp_path / "a-main.mp4", wanted, Ffmpeg.find())
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (wanted.width_px, wanted.height_px)
        assert stream.average_rate == 10
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert len(packets) == 50
    assert [i for i, packet in enumerate(packets) if packet.is_keyframe] == [0, 20, 40]
    assert all(packet.pts == packet.dts for packet in packets)  # no B pictures
    before = out.stat().st_mtime_ns
    encode(clip, out, wanted, Ffmpeg.find())
    assert out.stat().st_mtime_ns == before


def test_the_generated_configuration_is_valid_and_matches_the_truth(tmp_path: Path) -> None:
    cameras = [
        SampleCamera(
            camera_id, clip_id, f"rtsp://127.0.0.1:1/{clip_id}-main.mp4", f"rtsp://127.0.0.1:1/{clip_id}-sub.mp4"
        )
        for camera_id, clip_id in library.camera_list(5)
    ]
    place = tmp_path / "demo.yaml"
    place.write_text(library.configuration(cameras), encoding="utf-8")
    config = load(place).config
    assert list(config.cameras) == [camera.camera_id for camera in cameras]
    assert len(set(config.cameras)) == 5


def test_the_campus_truth_names_zones_and_rules_that_exist() -> None:
    campus = library.clips()["campus"]
    truth = library.truth(campus)
    rules = {(rule["kind"], rule["zone"]): rule for rule in campus.rules}
    assert len(truth["incidents"]) == 2
    for incident in truth["incidents"]:
        rule = rules[incident["kind"], incident["zone"]]
        assert incident["opens_s"] == incident["stands_from_s"] + float(rule["after"].removesuffix("s"))
        x1, _, x2, y2 = incident["box_px"]
        polygon = campus.zones[incident["zone"]]["polygon"]
        assert inside((x1 + x2) / 2 / 768, y2 / 576, polygon)


def inside(x: float, y: float, polygon: list[list[float]]) -> bool:
    """Even-odd rule."""
    crossings = 0
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            crossings += 1
    return crossings % 2 == 1


def test_list_as_json_says_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWATCH_HOME", str(tmp_path))
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["samples", "list", "--json"])
    assert args.run(args) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} >= {"vtest.avi", "campus-main", "campus-sub"}
    assert not any(row["here"] for row in rows)
