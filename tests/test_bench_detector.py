"""`gatewatch bench detector` on the built model and a short video; figures are looked at for sense, never for speed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.errors import BadInput
from pipelines.media.ffmpeg import find_binary
from pipelines.models.installed import find_model
from pipelines.paths import default_data_dir


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "clip.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=10:duration=1"]
    subprocess.run([find_binary(), "-loglevel", "error", *source, str(path)], check=True)
    return path


@pytest.mark.model
def test_every_combination_is_measured(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        find_model("yolov8n-int8", (default_data_dir() / "models",))
    except BadInput as error:
        pytest.skip(str(error))
    arguments = ["--models", "yolov8n-int8", "--sizes", "64x96,96x160", "--pictures", "4", "--video", str(video)]
    assert main(["bench", "detector", *arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = result["detector"]
    assert [(row["input"], row["mode"]) for row in rows] == [
        ([64, 96], "throughput"),
        ([64, 96], "latency"),
        ([96, 160], "throughput"),
        ([96, 160], "latency"),
    ]
    assert all(row["cpu_ms"] > 0 and row["wall_ms"] > 0 for row in rows)
    assert result["motion_gate_cpu_ms"] > 0
    assert result["picture"] == "160x96"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sizes", "big"], "is not HEIGHTxWIDTH"),
        (["--pictures", "1"], "at least 4"),
        (["--models", "/nowhere/model.onnx"], "does not exist"),
        (["--models", "yolo99"], "gatewatch models build"),
    ],
)
def test_bad_arguments_are_said(
    arguments: list[str], said: str, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "detector", "--video", str(video), *arguments]) == 2
    assert said in capsys.readouterr().err
