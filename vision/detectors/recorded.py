"""Detections that were written down: for tests and replays, where what is seen must be known."""

from __future__ import annotations

import bisect
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vision.coco import IDS
from vision.detection import Detections, DetectorError
from vision.detectors.settings import DetectorSettings, ModelError
from vision.frame import Pixels


@dataclass(frozen=True, slots=True)
class _Row:
    order: float
    detections: Detections | None
    error: str | None


class RecordedDetector:
    """Answers from a JSON Lines file, one picture a line, in growing order of `frame` (from 0) or of `time_s`:

        {"frame": 0, "boxes": [[x1, y1, x2, y2, confidence, "car"], ...]}
        {"frame": 1, "error": "out of memory"}

    The n-th picture given to `detect` gets the row of frame n. A file with `time_s` gives its n-th row to the n-th
    picture, and `at` gives the row of a moment. A picture without a row fails: it is not an empty scene. Boxes are in
    pixels of the picture; those weaker than the configured confidence are left out.

    Raises:
        ModelError: the file is missing or a line is not such a row; the message names the line.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        self._rows, self._timed = _read(settings.model, settings.confidence)
        self._order = [row.order for row in self._rows]
        self._given = 0

    @property
    def name(self) -> str:
        """The file, for records."""
        return f"{self._settings.model.name} recorded"

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        """The rows that are next, one per picture; see `vision.detection.Detector`."""
        found = []
        for _ in pictures:
            number, self._given = self._given, self._given + 1
            found.append(self._answer(number if self._timed else self._index(number), f"picture {number}"))
        return found

    def at(self, time_s: float, tolerance_s: float = 0.05) -> Detections:
        """The row of the moment nearest to `time_s`. Raises DetectorError when there is none within `tolerance_s`."""
        if not self._timed:
            raise DetectorError(f"{self._settings.model.name} has frame numbers and no times")
        right = bisect.bisect_left(self._order, time_s)
        near = [index for index in (right - 1, right) if 0 <= index < len(self._order)]
        near = [index for index in near if abs(self._order[index] - time_s) <= tolerance_s]
        best = min(near, key=lambda index: abs(self._order[index] - time_s), default=None)
        return self._answer(best, f"{time_s:g} s")

    def _index(self, frame: int) -> int | None:
        place = bisect.bisect_left(self._order, frame)
        return place if place < len(self._order) and self._order[place] == frame else None

    def _answer(self, index: int | None, what: str) -> Detections:
        if index is None or index >= len(self._rows):
            raise DetectorError(f"{self._settings.model.name} has no row for {what}")
        row = self._rows[index]
        if row.detections is None:
            raise DetectorError(row.error or "recorded failure")
        return row.detections


def _read(path: Path, confidence: float) -> tuple[list[_Row], bool]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("model", f"{path} cannot be read: {error}") from error
    rows: list[_Row] = []
    kinds: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            kind = "frame" if "frame" in value else "time_s"
            kinds.add(kind)
            order = float(value[kind])
            if len(kinds) > 1:
                raise ValueError("`frame` and `time_s` are mixed in one file")
            if not math.isfinite(order) or (rows and order <= rows[-1].order):
                raise ValueError(f"{kind} {order:g} does not grow")
            rows.append(_row(order, value, confidence))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError("model", f"{path}:{number}: is no row of detections ({_why(error)})") from error
    return rows, kinds == {"time_s"}


def _row(order: float, value: dict[str, Any], confidence: float) -> _Row:
    if "error" in value:
        return _Row(order, None, str(value["error"]))
    boxes = [box for box in value["boxes"] if float(box[4]) >= confidence]
    unknown = [box[5] for box in value["boxes"] if box[5] not in IDS]
    if unknown:
        raise ValueError(f"unknown class {unknown[0]!r}; known: {', '.join(IDS)}")
    corners = np.array([box[:4] for box in boxes], np.float32).reshape(-1, 4)
    if not np.isfinite(corners).all() or (corners[:, 2:] <= corners[:, :2]).any():
        raise ValueError("a box without area: x1, y1, x2, y2 are wanted")
    scores = np.array([box[4] for box in boxes], np.float32)
    return _Row(order, Detections(corners, scores, np.array([IDS[box[5]] for box in boxes], np.int64)), None)


def _why(error: BaseException) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
