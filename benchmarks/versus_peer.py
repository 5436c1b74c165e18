"""One other pipeline on the benchmark's stream, in a process of its own: what it costs, and the people that it finds.

`benchmarks/versus.py` runs it with the Python of the peers' environment (`make bench-peers`). It prints one JSON object:
`cpu_s` that decoding and analysis took, `analysed` pictures, `stream_s` seconds of the stream, `found` boxes of people by
number of the picture (from 1), `about` the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

os.environ.update(YOLO_AUTOINSTALL="false", YOLO_OFFLINE="true", ULTRALYTICS_SAFE_LOAD="true", YOLO_VERBOSE="false")
_STREAM_FPS = 12.5
_PERSON = 0

#: A picture -> boxes of the people in it.
Look = Callable[[Any], list[list[float]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["ultralytics", "supervision", "decode"])
    parser.add_argument("--stream", type=Path, required=True)
    parser.add_argument("--pictures", type=int, required=True)
    parser.add_argument("--model", type=Path, help="what it runs: .pt, or a folder that Ultralytics exported, or .xml")
    parser.add_argument("--size", type=int, default=640, help="of the input, for Ultralytics")
    parser.add_argument("--root", type=Path, help="of this project, for `supervision`: its detector is used")
    args = parser.parse_args()
    look: Look = {"ultralytics": _ultralytics, "supervision": _supervision, "decode": _decode}[args.kind](args)
    for _, picture in _pictures(args.stream, 15):  # everything is loaded and compiled before it is measured
        look(picture)
    if args.kind != "decode":
        look = {"ultralytics": _ultralytics, "supervision": _supervision}[args.kind](args)
        next(look(picture) for _, picture in _pictures(args.stream, 1))
    found: dict[int, list[list[float]]] = {}
    begin_s = time.process_time()
    for index, picture in _pictures(args.stream, args.pictures):
        found[index + 1] = look(picture)
    cpu_s = time.process_time() - begin_s
    names = {
        "ultralytics": ("ultralytics", "torch", "openvino"),
        "supervision": ("supervision", "trackers", "openvino"),
    }
    json.dump(
        {
            "cpu_s": cpu_s,
            "analysed": len(found),
            "stream_s": args.pictures / _STREAM_FPS,
            "found": found,
            "about": {name: _version(name) for name in names.get(args.kind, ())},
        },
        sys.stdout,
    )
    return 0


def _pictures(stream: Path, count: int) -> Iterator[tuple[int, Any]]:
    """Every picture is decoded, five of twelve and a half are turned into arrays and looked at."""
    capture = cv2.VideoCapture(str(stream), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    for index in range(count):
        if not capture.grab():
            raise SystemExit(f"{stream}: ends before picture {count}")
        if index % 5 in (0, 3):
            yield index, capture.retrieve()[1]
    capture.release()


def _decode(_args: argparse.Namespace) -> Look:
    return lambda _picture: []


def _ultralytics(args: argparse.Namespace) -> Look:
    from ultralytics import YOLO
    from ultralytics.utils import SETTINGS

    SETTINGS.update({"sync": False})
    model = YOLO(str(args.model), task="detect")

    def look(picture: Any) -> list[list[float]]:
        boxes = model.track(picture, persist=True, imgsz=args.size, tracker="bytetrack.yaml", verbose=False)[0].boxes
        if boxes is None or boxes.id is None:
            return []
        return [box for box, kind in zip(boxes.xyxy.tolist(), boxes.cls.tolist(), strict=True) if int(kind) == _PERSON]

    return look


def _supervision(args: argparse.Namespace) -> Look:
    sys.path.insert(0, str(args.root))
    import supervision
    from trackers import ByteTrackTracker

    from vision.detectors import make_detector
    from vision.detectors.settings import DetectorSettings

    cores = len(os.sched_getaffinity(0))
    settings = DetectorSettings(args.model, (384, 512), confidence=0.1, mode="throughput", threads=cores)
    detector = make_detector("openvino", settings)
    tracker = ByteTrackTracker(frame_rate=5.0)

    def look(picture: Any) -> list[list[float]]:
        seen = detector.detect([picture])[0]
        tracked = tracker.update(supervision.Detections(seen.xyxy_px, None, seen.confidence, seen.class_id))
        if tracked.tracker_id is None or tracked.class_id is None:
            return []
        people = (tracked.class_id == _PERSON) & (tracked.tracker_id >= 0)
        boxes: list[list[float]] = tracked.xyxy[people].tolist()
        return boxes

    return look


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "ultralytics-opencv-headless " + version("ultralytics-opencv-headless")


if __name__ == "__main__":
    sys.exit(main())
