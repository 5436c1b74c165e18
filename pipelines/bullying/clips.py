"""Labelled clips, and what the run-time's own region watch says of each moment of them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from pipelines.errors import BadInput
from pipelines.media.file import FileSource
from vision import coco
from vision.aggression import FeatureReader, RegionWatch, embed
from vision.detection import Detector, Float32Array
from vision.frame import Frame, Pixels
from vision.interaction import RATE_HZ

#: The detector looks at every second picture, as at a gate.
_DETECT_EVERY_S: Final = 0.2
LABELS: Final = ("fight", "normal")


@dataclass(frozen=True, slots=True)
class Clip:
    """One row of `manifest.csv`. `group` names the source: clips of one source are never split."""

    name: str
    path: Path
    is_fight: bool
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One stack of one region at `time_s`. `rank` 0: of the regions at that time the one with most change. `said` (D,) is
    what the describer says of it, `altered` (A, D) of altered copies of it. `beyond`: the clip had ended and was being
    continued; then there are no copies.
    """

    time_s: float
    region_id: int
    rank: int
    people: int
    said: Float32Array
    altered: Float32Array | None = None
    beyond: bool = False


def read_manifest(folder: Path) -> list[Clip]:
    """The clips of `folder/manifest.csv` (columns path, label, group).

    Raises:
        BadInput: no such file, a column is missing, a label is unknown or a clip does not exist.
    """
    path = folder / "manifest.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: is no CSV file in UTF-8: {error}") from error
    if not rows:
        raise BadInput(f"{path}: names no clip; expected the columns path, label, group and a row for each clip")
    clips = []
    for number, row in enumerate(rows, 2):
        missing = [key for key in ("path", "label", "group") if not row.get(key)]
        if missing:
            raise BadInput(f"{path}:{number}: {missing[0]} is missing; expected the columns path, label, group")
        if row["label"] not in LABELS:
            raise BadInput(f"{path}:{number}: label {row['label']!r}; allowed: {', '.join(LABELS)}")
        clip = folder / row["path"]
        if not clip.is_file():
            raise BadInput(f"{path}:{number}: {clip} does not exist")
        clips.append(Clip(row["path"], clip, row["label"] == "fight", row["group"]))
    return clips


class _Listening:
    """Describes stacks, and altered copies of them where `altering`; judges nothing."""

    def __init__(self, reader: FeatureReader) -> None:
        self._reads = reader
        self.altering = False

    def embed(self, stack: Pixels) -> Float32Array:
        """The stack's description, then that of each copy, joined."""
        seen = [stack, *(alter(stack) for alter in ALTERED if self.altering)]
        return np.concatenate([embed(self._reads, one) for one in seen])

    def judge(self, window: Sequence[Float32Array]) -> float:
        return 0.5


def mirrored(stack: Pixels) -> Pixels:
    return np.ascontiguousarray(stack[:, ::-1])


def nearer(stack: Pixels) -> Pixels:
    """Mirrored, a sixth closer, a little beside the middle, and with more contrast."""
    size = len(stack)
    side = round(0.85 * size)
    left, top = round(0.125 * size), round(0.045 * size)
    part = cv2.resize(stack[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_LINEAR)
    bright = np.clip((part.astype(np.float32) - 110) * 1.25 + 110, 0, 255).astype(np.uint8)
    return mirrored(bright)


#: How stacks are altered to learn from them once more. More contrast, less, blur and JPEG's blocks taught nothing further.
ALTERED: Final = (mirrored, nearer)


def moments(
    path: Path, detector: Detector, reader: FeatureReader, at_least_s: float = 0.0, *, altering: bool = False
) -> list[Moment]:
    """Every stack of every region of one video, found as at a gate: from what is past only.

    A video shorter than `at_least_s` is continued by itself, to and fro, so that no cut shows.

    Raises:
        BadInput: the video cannot be read.
    """
    listening = _Listening(reader)
    watch = RegionWatch(listening)
    found: list[Moment] = []
    last: dict[int, Float32Array] = {}
    detected_s = -1.0
    for frame, beyond in _continued(FileSource(str(path), "clip", RATE_HZ), at_least_s):
        listening.altering = altering and not beyond
        people = None
        if frame.time_s - detected_s >= _DETECT_EVERY_S - 0.03:
            detected_s = frame.time_s
            seen = detector.detect([frame.pixels])[0]
            people = seen.xyxy_px[seen.class_id == coco.PERSON]
        scored = sorted(watch.step(frame.pixels, frame.time_s, people), key=lambda s: -s.region.change)
        for rank, one in enumerate(scored):
            if not one.window or one.window[-1] is last.get(one.region.region_id):
                continue
            said = last[one.region.region_id] = one.window[-1]
            parts = said.reshape(1 + len(ALTERED) * listening.altering, -1)
            altered = parts[1:] if listening.altering else None
            found.append(Moment(frame.time_s, one.region.region_id, rank, one.region.people, parts[0], altered, beyond))
    return found


def _continued(frames: Iterable[Frame], at_least_s: float) -> Iterator[tuple[Frame, bool]]:
    kept: list[Frame] = []
    last_s = 0.0
    for frame in frames:
        last_s = frame.time_s
        if last_s < at_least_s:
            kept.append(frame)
        yield frame, False
    step_s, index, way = 1 / RATE_HZ, len(kept) - 1, -1
    while len(kept) > 1 and last_s + step_s <= at_least_s:
        if not 0 <= index + way < len(kept):
            way = -way
        index += way
        last_s += step_s
        yield replace(kept[index], time_s=last_s), True


def fingerprint(path: Path) -> str:
    """By which a clip is known again, whatever it is called: the start of its SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def all_moments(
    clips: Iterable[Clip],
    detector: Detector,
    reader: FeatureReader,
    at_least_s: float,
    progress: Callable[[], None],
    *,
    altering: bool = False,
) -> list[list[Moment]]:
    """`moments` of each clip, in order."""
    said = []
    for clip in clips:
        said.append(moments(clip.path, detector, reader, at_least_s, altering=altering))
        progress()
    return said
