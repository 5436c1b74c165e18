"""`gatewatch analyse` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import pytest
import yaml

from pipelines.samples import library

GATEWATCH = (sys.executable, "-m", "pipelines.cli")
CAMERA = {
    "main": {"url": "rtsp://192.0.2.10/main"},
    "zones": {"lines": {"polygon": [[0.8, 0.1], [1.0, 0.05], [1.0, 0.24], [0.8, 0.24]]}},
    "rules": [{"kind": "illegal_parking", "zone": "lines", "after": "5s"}],
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({"data": str(tmp_path / "data"), "cameras": {"campus": CAMERA}}))
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*GATEWATCH, "analyse", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


@pytest.fixture
def short_clip(tmp_path: Path) -> Path:
    """The first ten seconds of the real campus clip, copied without encoding."""
    from pipelines.media.ffmpeg import find_binary

    out = tmp_path / "short.mp4"
    source = library.streams_dir() / "campus-sub.mp4"
    command = [find_binary(), "-loglevel", "error", "-t", "10", "-i", str(source), "-c", "copy", str(out)]
    subprocess.run(command, check=True)
    return out


@pytest.mark.model
@pytest.mark.slow
def test_both_parked_vehicles_are_one_case_each_and_still_open(config: Path, short_clip: Path, tmp_path: Path) -> None:
    out, annotated, pictures = tmp_path / "out.jsonl", tmp_path / "seen.mp4", tmp_path / "pictures"
    start = "2026-09-01T07:30:00+08:00"
    options = ("--out", out, "--annotate", annotated, "--pictures", pictures, "--start", start)
    result = run(short_clip, "--camera", "campus", "-c", config, *options)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    incidents = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(incidents) == 2
    assert len({incident["incident_id"] for incident in incidents}) == 2
    for incident in incidents:
        assert (incident["kind"], incident["zone"], incident["camera"]) == ("illegal_parking", "lines", "campus")
        assert incident["opened_s"] == pytest.approx(5.0, abs=0.5)
        assert incident["closed_s"] is None
        assert incident["closed_at"] is None
        assert incident["opened_at"].startswith("2026-08-31T23:30:0")
        assert incident["severity"] == 2
        assert 0 < incident["score"] <= 1
        assert incident["evidence"]["standing"]["unit"] == "s"
    with av.open(str(annotated)) as video:
        times = [float(frame.pts * frame.time_base) for frame in video.decode(video=0)]
    assert len(times) == pytest.approx(50, abs=2)
    assert times[-1] == pytest.approx(9.8, abs=0.3)
    assert {path.stem for path in pictures.rglob("*.jpg")} >= {"first_seen", "limit"}


@pytest.mark.model
def test_what_cannot_be_used_is_told_in_one_line(config: Path, short_clip: Path, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.mp4"
    rubbish.write_bytes(b"not a video" * 1000)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    ordinary = ("--camera", "campus", "-c", config)
    cases = [
        ((tmp_path / "none.mp4", *ordinary), "none.mp4: no such file"),
        ((rubbish, *ordinary), "rubbish.mp4"),
        ((empty, *ordinary), "empty.mp4"),
        ((short_clip, "--camera", "gate", "-c", config), "its cameras: campus"),
        ((short_clip, *ordinary, "--start", "yesterday"), "--start yesterday: not ISO 8601"),
        ((short_clip, *ordinary, "--start", "2026-09-01T07:30:00"), "says no time zone"),
        ((short_clip, *ordinary, "--annotate", tmp_path / "seen.avi"), "ends in .mp4"),
        ((short_clip, *ordinary, "--out", tmp_path / "none" / "out.jsonl"), "cannot be written"),
        ((short_clip, *ordinary, "--fps", "0"), "--fps"),
        ((short_clip, "--camera", "campus", "-c", tmp_path / "none.yaml"), "there is no such file"),
    ]
    for arguments, message in cases:
        result = run(*arguments)
        assert result.returncode == 2, (arguments, result.stderr)
        assert message in result.stderr
        assert "Traceback" not in result.stderr
        assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []


def test_a_network_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    from pipelines.media.ffmpeg import find_binary

    clip, model, config = tmp_path / "clip.mp4", tmp_path / "seen.jsonl", tmp_path / "site.yaml"
    source = ("-f", "lavfi", "-i", "testsrc=d=2:s=320x180:r=5")
    subprocess.run([find_binary(), "-loglevel", "error", *source, str(clip)], check=True)
    model.write_text('{"frame": 0, "error": "the processor is on fire"}\n')
    detector = {"backend": "recorded", "model": str(model)}
    config.write_text(
        yaml.safe_dump({"data": str(tmp_path / "data"), "detector": detector, "cameras": {"campus": CAMERA}})
    )
    result = run(clip, "--camera", "campus", "-c", config)
    assert result.returncode == 1
    assert "the processor is on fire" in result.stderr
    assert "gatewatch models build" in result.stderr
    assert "Traceback" not in result.stderr
