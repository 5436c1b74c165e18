"""How well people are seen on the benchmark's stream: the way a worker looks, and anybody else's boxes, on one truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.bench.footage import HEIGHT_PX, WIDTH_PX, top_left_px
from pipelines.errors import BadInput
from pipelines.media.file import FileSource
from vision import mosaic
from vision.attention import Attention, Look
from vision.behaviours.people import counted_people
from vision.camera import CameraSpec
from vision.detection import Detector
from vision.engine import Engine
from vision.evaluation.boxes import Boxes, align, read_mot
from vision.evaluation.counting import CountScore, score_counts
from vision.frame import Frame, Pixels
from vision.geometry import FloatArray

#: Five of twelve and a half pictures a second are the pictures 0, 3, 5, 8, 10, ...: those of the truth are among them.
ANALYSED_FPS: Final = 5.0
_STREAM_FPS: Final = 12.5
#: Size of the pictures that the truth speaks of.
_TRUTH_PX: Final = (576, 768)
#: Somebody of whom the cut picture shows less than this is nobody that must be found, and no mistake when found.
_LEAST_SHOWN: Final = 0.7

#: A camera's boxes of people by number of the picture, from 1 as the truth counts.
Found = Mapping[int, Sequence[Sequence[float]]]


def is_analysed(index: int) -> bool:
    """Whether picture `index` (from 0) of the stream is one of the five a second."""
    return index % 5 in (0, 3)


def truth_on_stream(data: Path) -> dict[int, Boxes]:
    """The truth of `vtest.avi` on the stream of `footage.sub_stream`. Raises BadInput when it is not in the folder."""
    path = data / "pets09" / "gt_keyframes_1-266.txt"
    try:
        with path.open(encoding="utf-8") as lines:
            truth = read_mot(lines, str(path))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: {error}; name the folder with the truth with --data") from error
    return {number: _on_stream(boxes) for number, boxes in truth.items()}


def _on_stream(boxes: Boxes) -> Boxes:
    scale, left, top = top_left_px(*_TRUTH_PX)

    def moved(xyxy: FloatArray) -> FloatArray:
        return np.asarray(xyxy * scale - np.array([left, top, left, top]))

    def shown(xyxy: FloatArray) -> FloatArray:
        return np.asarray(np.clip(xyxy, 0, [WIDTH_PX, HEIGHT_PX] * 2))

    def area(xyxy: FloatArray) -> FloatArray:
        return np.asarray((xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1]))

    whole = moved(boxes.xyxy)
    share = area(shown(whole)) / area(whole)
    counts = share >= _LEAST_SHOWN
    other = np.concatenate([shown(moved(boxes.ignored)), shown(whole[~counts])])
    return Boxes(boxes.ids[counts], shown(whole[counts]), other[area(other) > 0])


def score(truth: dict[int, Boxes], cameras: Sequence[Found]) -> CountScore:
    """Recall, precision and count error over all pictures of all cameras that the truth knows."""
    pairs = []
    for found in cameras:
        boxes = {number: Boxes.of(list(range(len(people))), people) for number, people in found.items()}
        pairs += align({number: people for number, people in truth.items() if number in found}, boxes)
    return score_counts(pairs)


def stream_pictures(stream: Path, count: int) -> list[Pixels]:
    """The first `count` pictures of the stream. Raises BadInput when there are fewer."""
    pictures = [frame.pixels for frame, _ in zip(FileSource(str(stream), "seeing"), range(count), strict=False)]
    if len(pictures) < count:
        raise BadInput(f"{stream}: has {len(pictures)} pictures, the truth speaks of {count}")
    return pictures


def on_every_picture(detector: Detector, pictures: Sequence[Pixels]) -> Found:
    """Whom one camera counts when the detector looks at all of every picture of the stream: what others are held against."""
    engine = Engine(CameraSpec("seeing", {}, ()))
    found = {}
    for index, pixels in enumerate(pictures):
        frame = Frame("seeing", "run", 1000.0 + index / _STREAM_FPS, pixels)
        found[index + 1] = _people(engine, frame, detector.detect([pixels])[0])
    return found


def as_a_worker(
    detector: Detector, input_px: tuple[int, int], pictures: Sequence[Pixels], cameras: int = 8
) -> list[Found]:
    """Whom cameras count that look as a worker does: at what changed, packed together, five pictures a second.

    Each camera is at another place of the stream; it begins anew at the stream's end.
    """
    indices = [index for index in range(len(pictures)) if is_analysed(index)]
    every = [_Watching(indices, len(indices) * number // cameras) for number in range(cameras)]
    for _ in indices:
        looks = [camera.plan(pictures) for camera in every]
        pieces = [mosaic.Piece(frame.pixels, part) for frame, look in looks for part in look.parts]
        seen = iter(mosaic.detect(detector, input_px, pieces))
        for camera, (frame, look) in zip(every, looks, strict=True):
            camera.merge(frame, look, seen)
    return [camera.found for camera in every]


class _Watching:
    def __init__(self, indices: Sequence[int], first: int) -> None:
        self._indices = indices
        self._turn = first
        self._time_s = 1000.0
        self.found: dict[int, list[Sequence[float]]] = {}
        self._anew()

    def _anew(self) -> None:
        self._attention, self._engine = Attention(), Engine(CameraSpec("seeing", {}, ()))

    def plan(self, pictures: Sequence[Pixels]) -> tuple[Frame, Look]:
        place = self._turn % len(self._indices)
        if place == 0:
            self._anew()
        self._index = self._indices[place]
        before = self._indices[place - 1] if place else self._index - 2
        self._time_s += (self._index - before) / _STREAM_FPS
        self._turn += 1
        frame = Frame("seeing", "run", self._time_s, pictures[self._index])
        return frame, self._attention.plan(frame.pixels, frame.time_s)

    def merge(self, frame: Frame, look: Look, seen: Iterator[Any]) -> None:
        detections = self._attention.merge(look, [next(seen) for _ in look.parts], frame.pixels, frame.time_s)
        self.found[self._index + 1] = _people(self._engine, frame, detections)


def _people(engine: Engine, frame: Frame, detections: Any) -> list[Sequence[float]]:
    scene = engine.step(frame, detections).scene
    return [] if scene is None else [track.xyxy_px for track in counted_people(scene)]
