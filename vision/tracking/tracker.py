"""Follows the objects of one camera from picture to picture."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any, NamedTuple

import numpy as np

from vision import native
from vision.detection import Detections, Int64Array
from vision.saved import finite, whole
from vision.track import Track, TrackState
from vision.tracking import kalman
from vision.tracking import rows as table
from vision.tracking.matching import MISSED_S, owners
from vision.tracking.rows import Rows
from vision.tracking.settings import TrackerSettings


class Tracking(NamedTuple):
    """`tracks` of this moment, and for each detection the id of the track that took it, -1 for none."""

    tracks: tuple[Track, ...]
    detection_track_id: Int64Array


class Tracker:
    """Follows the objects of one camera."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        # As the compiled part takes them.
        self._limits = np.array(astuple(self._settings), np.float64)
        self._rows: Rows = np.zeros(0, table.ROW)
        self._next_id = 1
        self._time_s: float | None = None

    def update(self, detections: Detections, time_s: float) -> Tracking:
        """One picture's detections at `time_s`, which must grow.

        Raises:
            ValueError: `time_s` is not later than that of the last picture.
        """
        if self._time_s is not None and time_s <= self._time_s:
            raise ValueError(f"time_s must grow: {time_s} after {self._time_s}")
        if native.tracking is not None:
            self._rows, ids = native.tracking.follow(
                self._rows,
                detections.xyxy_px,
                detections.confidence,
                detections.class_id,
                time_s,
                self._time_s,
                self._next_id,
                self._limits,
                MISSED_S,
                table.GROUP_OF,
                table.OTHER_GROUPS,
                kalman.NOISE,
            )
            tracks = native.tracking.tracks(
                self._rows, time_s, Track, TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.LOST
            )
        else:
            self._rows, ids = self._follow(detections, time_s)
            tracks = _tracks(self._rows, time_s)
        self._next_id = max(self._next_id, tracks[-1].track_id + 1) if tracks else self._next_id
        self._time_s = time_s
        return Tracking(tracks, ids)

    def _follow(self, detections: Detections, time_s: float) -> tuple[Rows, Int64Array]:
        """Rows after this picture, and the id of the track that took each of the detections."""
        s, rows = self._settings, self._rows
        if self._time_s is not None:
            rows = table.remembered(rows, time_s, s)
            rows["mean"], rows["covariance"] = kalman.predict(rows["mean"], rows["covariance"], time_s - self._time_s)
        boxes, class_id = detections.xyxy_px.astype(np.float64), detections.class_id
        confidence = detections.confidence.astype(np.float64)
        owner = owners(rows, boxes, confidence, table.group_of(class_id), time_s, s)
        seen = owner >= 0
        table.correct(rows, owner[seen], boxes[seen], confidence[seen], class_id[seen], time_s, s)
        new = ~seen & (confidence >= s.new)
        if new.any():
            owner[new] = len(rows) + np.arange(new.sum())
            fresh = table.begun(
                boxes[new], confidence[new], class_id[new], time_s, self._next_id, s, is_first=self._time_s is None
            )
            rows = np.concatenate([rows, fresh])
        return rows, np.append(rows["track_id"], -1)[owner]

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON values from which `restore` goes on exactly."""
        return {"next_id": self._next_id, "time_s": self._time_s, "tracks": table.to_json(self._rows)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `snapshot`.

        Raises:
            KeyError, OverflowError, TypeError, ValueError: it is damaged; the tracker is unchanged then.
        """
        rows, next_id = table.from_json(state["tracks"]), whole(state["next_id"])
        time_s = None if state["time_s"] is None else finite(state["time_s"])
        self._rows, self._next_id, self._time_s = rows, next_id, time_s


def _tracks(rows: Rows, time_s: float) -> tuple[Track, ...]:
    boxes = kalman.to_boxes(rows["mean"])
    seen = rows["last_seen_s"] == time_s
    return tuple(
        Track(
            track_id,
            (TrackState.CONFIRMED if is_seen else TrackState.LOST) if is_confirmed else TrackState.TENTATIVE,
            class_id,
            (box[0], box[1], box[2], box[3]),
            (velocity[0], velocity[1]),
            first_seen_s,
            last_seen_s,
            confidence,
        )
        for track_id, is_seen, is_confirmed, class_id, box, velocity, first_seen_s, last_seen_s, confidence in zip(
            rows["track_id"].tolist(),
            seen.tolist(),
            rows["confirmed"].tolist(),
            rows["class_id"].tolist(),
            boxes.tolist(),
            rows["mean"][:, :2, 1].tolist(),
            rows["first_seen_s"].tolist(),
            rows["last_seen_s"].tolist(),
            rows["confidence"].tolist(),
            strict=True,
        )
    )
