"""How many bytes the tracks of a camera take in a day, and what keeping them costs: `python benchmarks/tracks.py [--json]`.

Three stretches at 5 pictures a second, with the built detector: the campus road of `vtest.avi`, the staged gate, and the same
road with nobody on it (two parked cars, the sensor's noise). Each is played several times on end, as one long stretch.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pipelines.aggression import load_scorer
from pipelines.config.build import camera_spec
from pipelines.config.schema import Config
from pipelines.detector import load_detector
from pipelines.media.file import FileSource
from pipelines.samples.library import clips, footage, staged_dir, staged_scenes
from pipelines.samples.staged.weather import Weather
from pipelines.testing import gathered
from pipelines.tracks.chunk import Chunk
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.parquet import encode
from pipelines.tracks.rounding import rounded
from pipelines.workers.camera import rules_only
from vision.engine import Engine
from vision.frame import Frame

START_S = 1_790_000_400.0  # a whole ten minutes
FPS = 5.0


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def quiet() -> Iterator[Frame]:
    """The empty road for 60 s; noise differs from picture to picture."""
    [scene] = [one for one in staged_scenes(say) if one.name == "shadow on an empty road"]
    empty = replace(scene, duration_s=60.0, weather=Weather(noise=2.5))
    for number, frame in enumerate(empty.frames()):
        yield Frame("quiet", "run", START_S + number / FPS, frame.pixels)


def config_of(name: str) -> Config:
    clip = clips()["campus" if name == "campus" else "gate"]
    rules = [*clip.rules, {"kind": "possible_bullying", "zone": clip.rules[-1]["zone"]}]
    values = {"main": {"url": "rtsp://127.0.0.1:1/none"}, "zones": dict(clip.zones), "rules": rules}
    return Config.model_validate({"cameras": {name: values}})


def measure(name: str, frames: list[Frame], minutes: float) -> dict[str, Any]:
    config = config_of(name)
    detector = load_detector(config)
    engine = Engine(camera_spec(config, name), load_scorer(config, say))
    kept: list[Chunk] = []
    keeper = TrackKeeper(name, gathered(kept.append))
    found = [detector.detect([frame.pixels])[0] for frame in frames]
    boxes = keeping_s = 0.0
    number = 0
    while number / FPS < minutes * 60:
        frame = frames[number % len(frames)]
        shown = Frame(name, "run", START_S + number / FPS, frame.pixels)
        begun_s = time.process_time()
        keeper.before(shown.time_s, engine, "v1", lambda: rules_only(config.cameras[name]))
        middle_s = time.process_time()
        step = engine.step(shown, rounded(found[number % len(frames)]))
        after_s = time.process_time()
        keeper.after(step, shown)
        keeping_s += time.process_time() - after_s + middle_s - begun_s
        boxes += len(found[number % len(frames)])
        number += 1
    keeper.end()
    begun_s = time.process_time()
    size = sum(len(encode(chunk)) for chunk in kept)
    return {
        "stretch": name,
        "minutes": minutes,
        "boxes_per_picture": round(boxes / number, 2),
        "bytes_per_minute": round(size / minutes),
        "megabytes_per_hour": round(size / minutes * 60 / 1e6, 3),
        "megabytes_per_day_of_only_this": round(size / minutes * 1440 / 1e6, 1),
        "keep_ms_per_picture": round(keeping_s / number * 1e3, 2),
        "encode_ms_per_chunk": round((time.process_time() - begun_s) / len(kept) * 1e3, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    stretches = {
        "quiet": list(quiet()),
        "campus": list(FileSource(str(footage(say)[0]), "campus", FPS)),
        "gate": list(FileSource(str(staged_dir(say) / "gate.mkv"), "gate", FPS)),
    }
    rows = [measure(name, frames, args.minutes) for name, frames in stretches.items()]
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    for row in rows:
        sys.stdout.write(", ".join(f"{name} {value}" for name, value in row.items()) + "\n")


if __name__ == "__main__":
    main()
