"""A long recording in which a fight stands between ordinary scenes: `gatewatch analyse` names it, and when. It shows that
the chain works; how well strangers' fights are seen is measured by `gatewatch train bullying`, on held-out sources.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.aggression import load_reader
from pipelines.errors import BadInput
from pipelines.media.ffmpeg import find_binary
from pipelines.paths import default_data_dir

pytestmark = [pytest.mark.data, pytest.mark.model, pytest.mark.slow]

DATA = Path(os.environ.get("GATEWATCH_DATA", Path(__file__).parents[2] / "shared" / "data")) / "fight-dev"
PART_S = 8
FULL = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def parts() -> list[Path]:
    """An ordinary scene, a fight and another ordinary scene, of different sources."""
    if not (DATA / "manifest.csv").is_file():
        pytest.skip(f"{DATA}: no data; set GATEWATCH_DATA")
    with (DATA / "manifest.csv").open(encoding="utf-8") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    wanted = [("clips/nofi028.mp4", "normal"), ("clips/fi117.mp4", "fight"), ("clips/nofi045.mp4", "normal")]
    for name, label in wanted:
        if rows.get(name, {}).get("label") != label:
            pytest.skip(f"{DATA}: has no {name} ({label})")
    return [DATA / name for name, _ in wanted]


def spliced(clips: list[Path], out: Path) -> None:
    """Each clip continued to and fro, so that no cut shows inside it, one after the other."""
    inputs = [argument for clip in clips for argument in ("-i", str(clip))]
    each = ";".join(
        f"[{n}:v]scale=640:360,setsar=1,fps=20,split[a{n}][b{n}];[b{n}]reverse[r{n}];[a{n}][r{n}]concat=n=2:v=1,"
        f"loop=loop=-1:size=400,trim=duration={PART_S},setpts=PTS-STARTPTS[v{n}]"
        for n in range(len(clips))
    )
    joined = "".join(f"[v{n}]" for n in range(len(clips))) + f"concat=n={len(clips)}:v=1[v]"
    command = [find_binary(), "-loglevel", "error", *inputs, "-filter_complex", f"{each};{joined}", "-map", "[v]"]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", str(out)], check=True)


def test_a_fight_between_ordinary_scenes_is_one_incident_at_its_time(tmp_path: Path) -> None:
    clips = parts()
    try:
        load_reader(default_data_dir())
    except BadInput as error:
        pytest.skip(str(error))
    video, config = tmp_path / "long.mp4", tmp_path / "site.yaml"
    spliced(clips, video)
    camera = {
        "main": {"url": "rtsp://192.0.2.10/main"},
        "zones": {"view": {"polygon": FULL}},
        "rules": [{"kind": "possible_bullying", "zone": "view"}],
    }
    config.write_text(yaml.safe_dump({"data": str(tmp_path / "data"), "cameras": {"gate": camera}}))
    command = [sys.executable, "-m", "pipelines.cli", "analyse", str(video), "--camera", "gate", "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    incidents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [incident["kind"] for incident in incidents] == ["possible_bullying"]
    (incident,) = incidents
    assert PART_S <= incident["opened_s"] <= PART_S + 6.0  # within six seconds of its beginning
    assert incident["evidence"]["contact_score"]["value"] > 0.5
