"""Two-stage association in seconds.

After ByteTrack (Zhang et al., ECCV 2022): sure detections are matched first, unsure ones may only continue tracks.
What differs: times are seconds and not frames, so that a rate of 1 or 15 pictures a second needs no other settings;
boxes are buffered by how long a track was not seen (the idea of C-BIoU, Yang et al., WACV 2023), so that at 1 picture
a second a walker still meets his own box; classes are compared in groups, because detectors change their mind between
car and truck.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from vision import coco
from vision.assignment import best_pairs
from vision.detection import Detections, Int64Array
from vision.geometry import BoolArray, FloatArray
from vision.track import Track, TrackState
from vision.tracking import kalman

#: Classes that may be taken for each other.
GROUPS: Final = ((coco.PERSON,), (coco.CAR, coco.BUS, coco.TRUCK), (coco.BICYCLE, coco.MOTORCYCLE))
_OTHER_GROUPS: Final = 100
#: Class -> group, -1 for none; the last entry stands for every class beyond.
_GROUP_OF: Final = np.array(
    [
        next((n for n, group in enumerate(GROUPS) if class_id in group), -1)
        for class_id in range(max(map(max, GROUPS)) + 2)
    ],
    np.int64,
)
_MISSED_S: Final = 0.15


def group_of(class_ids: Int64Array) -> Int64Array:
    """(N,) group of each class; a class outside `GROUPS` is a group of its own."""
    known = _GROUP_OF[np.minimum(class_ids, len(_GROUP_OF) - 1)]
    return np.where(known >= 0, known, class_ids + _OTHER_GROUPS)


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Thresholds of association.

    `sure`: detections at or above it are matched first. `new`: from it on a detection may begin a track. `unsure`:
    below it a detection is not used. `overlap` and `overlap_unsure`: least buffered IoU of a match in the two stages.
    A track counts after `confirm_hits` detections of which one was at least `confirm_sure`, or, when all were weaker,
    once it has been seen for `confirm_slow_s`. `keep_lost_s`: how long a track is remembered unseen. `buffer_per_s`:
    how much of a box's size is added around it per second that its track was not seen, at most `buffer_most`.
    A track that is not seen goes on at its speed, or has stopped: within `stops_s` (to 1/e), which counts for `stopped`
    as much. Who goes behind something often stops there, and where a constant speed would put him after two seconds,
    somebody else is.
    """

    sure: float = 0.4
    new: float = 0.5
    unsure: float = 0.1
    overlap: float = 0.3
    overlap_unsure: float = 0.4
    confirm_hits: int = 2
    confirm_sure: float = 0.6
    confirm_slow_s: float = 2.0
    keep_lost_s: float = 3.0
    keep_tentative_s: float = 1.2
    buffer_per_s: float = 0.5
    buffer_most: float = 0.5
    stops_s: float = 0.4
    stopped: float = 0.9


class Tracking(NamedTuple):
    """`tracks` of this moment, and for each detection the id of the track that took it, -1 for none."""

    tracks: tuple[Track, ...]
    detection_track_id: Int64Array


@dataclass(slots=True)
class _Record:
    track_id: int
    first_seen_s: float
    last_seen_s: float
    confidence: float
    peak: float
    hits: int
    confirmed: bool
    group: int
    votes: dict[int, float] = field(default_factory=dict)
    class_id: int = -1

    def __post_init__(self) -> None:
        self._count()

    def vote(self, class_id: int, weight: float) -> None:
        self.votes[class_id] = self.votes.get(class_id, 0.0) + weight
        if class_id != self.class_id:
            self._count()

    def _count(self) -> None:
        self.class_id = max(self.votes, key=lambda class_id: (self.votes[class_id], -class_id), default=-1)


class Tracker:
    """Follows the objects of one camera."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._records: list[_Record] = []
        self._mean: FloatArray = np.empty((0, 4, 2))
        self._covariance: FloatArray = np.empty((0, 4, 3))
        self._next_id = 1
        self._time_s: float | None = None

    def update(self, detections: Detections, time_s: float) -> Tracking:
        """One picture's detections at `time_s`, which must grow.

        Raises:
            ValueError: `time_s` is not later than that of the last picture.
        """
        if self._time_s is not None:
            if time_s <= self._time_s:
                raise ValueError(f"time_s must grow: {time_s} after {self._time_s}")
            self._forget(time_s)
            self._mean, self._covariance = kalman.predict(self._mean, self._covariance, time_s - self._time_s)
        is_first = self._time_s is None
        self._time_s = time_s
        s, records = self._settings, self._records
        if not records and len(detections) == 0:
            return Tracking((), np.empty(0, np.int64))
        boxes = detections.xyxy_px.astype(np.float64)
        confidence = detections.confidence.astype(np.float64)
        groups = group_of(detections.class_id)
        owner = np.full(len(detections), -1, np.int64)  # row of the track that took the detection
        if records and len(detections):
            unseen_s = time_s - np.array([record.last_seen_s for record in records])
            same = np.array([record.group for record in records])[:, None] == groups
            score = np.where(same, self._scores(unseen_s, boxes), 0.0)
            weight = 0.7 + 0.3 * confidence
            confirmed = np.array([record.confirmed for record in records], bool)
            fresh = unseen_s <= 0.5 + s.keep_lost_s / 4
            free = np.ones(len(records), bool)

            def match(rows: BoolArray, columns: BoolArray, least: float) -> None:
                track_rows, detection_rows = (rows & free).nonzero()[0], (columns & (owner < 0)).nonzero()[0]
                if len(track_rows) == 0 or len(detection_rows) == 0:
                    return
                part = score[track_rows[:, None], detection_rows]
                part = np.where(part >= least, part * weight[detection_rows], 0.0)
                pairs = np.array(best_pairs(part), np.int64).reshape(-1, 2)
                rows_taken = track_rows[pairs[:, 0]]
                owner[detection_rows[pairs[:, 1]]] = rows_taken
                free[rows_taken] = False

            sure = confidence >= s.sure
            match(confirmed, sure, s.overlap)
            match(confirmed & fresh, ~sure & (confidence >= s.unsure), s.overlap_unsure)
            match(~confirmed, confidence >= min(s.sure, s.new), s.overlap)
            self._correct(owner, boxes, confidence, detections.class_id, time_s)
        self._begin(np.flatnonzero((owner < 0) & (confidence >= s.new)), owner, detections, groups, time_s, is_first)
        return Tracking(self._tracks(time_s), self._ids(owner))

    def _scores(self, unseen_s: FloatArray, boxes: FloatArray) -> FloatArray:
        """(tracks, boxes) IoU, or that of buffered boxes where it is more; both boxes of a pair get the same buffer.

        A track is where it goes on, or where it has stopped, whichever fits better. All four are worked out at once: there
        are few boxes, and each step of an array costs the same for one as for four.
        """
        s = self._settings
        goes_on = self._mean
        stopped = kalman.stopped(goes_on, np.maximum(unseen_s - _MISSED_S, 0.0), s.stops_s)
        buffer = np.minimum(s.buffer_per_s * unseen_s, s.buffer_most)[:, None]
        # Corners by (stopped?, buffered?, track, box, low or high x and y).
        tracks = np.empty((2, 2, len(unseen_s), 1, 4))
        for row, mean in enumerate((goes_on, stopped)):
            tracks[row, :, :, 0] = kalman.to_boxes(mean)
        pad = (tracks[:, 1, :, 0, 2:] - tracks[:, 1, :, 0, :2]) * buffer
        tracks[:, 1, :, 0, :2] -= pad
        tracks[:, 1, :, 0, 2:] += pad
        found = np.empty((2, len(unseen_s), len(boxes), 4))
        found[:] = boxes
        reach = (boxes[:, 2:] - boxes[:, :2]) * buffer[:, :, None]
        found[1, :, :, :2] -= reach
        found[1, :, :, 2:] += reach
        overlap = _overlap(tracks, found).max(axis=1)
        return np.asarray(np.maximum(overlap[0], s.stopped * overlap[1]))

    def _correct(
        self, owner: Int64Array, boxes: FloatArray, confidence: FloatArray, class_id: Int64Array, time_s: float
    ) -> None:
        columns = (owner >= 0).nonzero()[0]
        rows = owner[columns]
        if len(rows) == 0:
            return
        sureness = confidence[columns]
        self._mean[rows], self._covariance[rows] = kalman.correct(
            self._mean[rows], self._covariance[rows], kalman.to_measurements(boxes[columns]), sureness
        )
        for row, sure, kind in zip(rows.tolist(), sureness.tolist(), class_id[columns].tolist(), strict=True):
            record = self._records[row]
            record.last_seen_s = time_s
            record.confidence = sure
            record.hits += 1
            record.peak = max(record.peak, sure)
            record.confirmed = record.confirmed or self._is_sure(record)
            record.vote(kind, sure)

    def _begin(
        self,
        columns: Int64Array,
        owner: Int64Array,
        detections: Detections,
        groups: Int64Array,
        time_s: float,
        is_first: bool,
    ) -> None:
        if len(columns) == 0:
            return
        mean, covariance = kalman.start(kalman.to_measurements(detections.xyxy_px[columns].astype(np.float64)))
        self._mean = np.concatenate([self._mean, mean])
        self._covariance = np.concatenate([self._covariance, covariance])
        for column in columns:
            owner[column] = len(self._records)
            confidence = float(detections.confidence[column])
            record = _Record(
                self._next_id, time_s, time_s, confidence, confidence, 1, confirmed=False, group=int(groups[column])
            )
            # In the first picture nothing can have been seen before; what is there counts at once.
            record.confirmed = is_first or self._is_sure(record)
            record.vote(int(detections.class_id[column]), confidence)
            self._records.append(record)
            self._next_id += 1

    def _is_sure(self, record: _Record) -> bool:
        s = self._settings
        if record.hits < s.confirm_hits:
            return False
        return record.peak >= s.confirm_sure or record.last_seen_s - record.first_seen_s >= s.confirm_slow_s

    def _forget(self, time_s: float) -> None:
        s = self._settings
        keep = [
            time_s - r.last_seen_s <= max(s.keep_lost_s if r.confirmed else s.keep_tentative_s, 0.0)
            for r in self._records
        ]
        if not all(keep):
            self._records = [record for record, kept in zip(self._records, keep, strict=True) if kept]
            self._mean, self._covariance = self._mean[keep], self._covariance[keep]

    def _tracks(self, time_s: float) -> tuple[Track, ...]:
        boxes = kalman.to_boxes(self._mean).tolist()
        velocities = self._mean[:, :2, 1].tolist()
        return tuple(
            Track(
                record.track_id,
                _state(record, time_s),
                record.class_id,
                (box[0], box[1], box[2], box[3]),
                (velocity[0], velocity[1]),
                record.first_seen_s,
                record.last_seen_s,
                record.confidence,
            )
            for record, box, velocity in zip(self._records, boxes, velocities, strict=True)
        )

    def _ids(self, owner: Int64Array) -> Int64Array:
        ids = np.array([record.track_id for record in self._records] + [-1], np.int64)
        return np.asarray(ids[owner])

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON values from which `restore` goes on exactly."""
        return {
            "next_id": self._next_id,
            "time_s": self._time_s,
            "tracks": [
                {
                    "id": r.track_id,
                    "first_seen_s": r.first_seen_s,
                    "last_seen_s": r.last_seen_s,
                    "confidence": r.confidence,
                    "peak": r.peak,
                    "hits": r.hits,
                    "confirmed": r.confirmed,
                    "group": r.group,
                    "votes": {str(class_id): weight for class_id, weight in r.votes.items()},
                    "mean": mean.tolist(),
                    "covariance": covariance.tolist(),
                }
                for r, mean, covariance in zip(self._records, self._mean, self._covariance, strict=True)
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        rows = state["tracks"]
        self._next_id = state["next_id"]
        self._time_s = state["time_s"]
        self._mean = np.array([row["mean"] for row in rows], np.float64).reshape(-1, 4, 2)
        self._covariance = np.array([row["covariance"] for row in rows], np.float64).reshape(-1, 4, 3)
        self._records = [
            _Record(
                row["id"],
                row["first_seen_s"],
                row["last_seen_s"],
                row["confidence"],
                row["peak"],
                row["hits"],
                row["confirmed"],
                row["group"],
                {int(class_id): weight for class_id, weight in row["votes"].items()},
            )
            for row in rows
        ]


def _state(record: _Record, time_s: float) -> TrackState:
    if not record.confirmed:
        return TrackState.TENTATIVE
    return TrackState.CONFIRMED if record.last_seen_s == time_s else TrackState.LOST


def _overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    """IoU of boxes (..., 4), element by element."""
    size = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    np.maximum(size, 0.0, out=size)
    shared = size[..., 0] * size[..., 1]
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return np.asarray(shared / np.maximum(area_a + area_b - shared, 1e-9))
