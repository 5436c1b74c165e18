"""Which track takes which detection.

After ByteTrack (Zhang et al., ECCV 2022): sure detections are matched first, unsure ones may only continue tracks.
What differs: times are seconds and not frames, so that a rate of 1 or 15 pictures a second needs no other settings;
boxes are buffered by how long a track was not seen (the idea of C-BIoU, Yang et al., WACV 2023), so that at 1 picture
a second a walker still meets his own box; classes are compared in groups, because detectors change their mind between
car and truck.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vision.assignment import best_pairs
from vision.detection import Int64Array
from vision.geometry import BoolArray, FloatArray
from vision.tracking import kalman
from vision.tracking.rows import Rows
from vision.tracking.settings import TrackerSettings

#: A track that was seen less long ago than this goes on.
MISSED_S: Final = 0.15


def owners(
    rows: Rows, boxes: FloatArray, confidence: FloatArray, groups: Int64Array, time_s: float, settings: TrackerSettings
) -> Int64Array:
    """(N,) row of the track that takes each of `boxes` (N, 4), of classes of `groups` (N,); -1 for none."""
    s = settings
    owner = np.full(len(boxes), -1, np.int64)
    if len(rows) == 0 or len(boxes) == 0:
        return owner
    unseen_s = time_s - rows["last_seen_s"]
    same = rows["group"][:, None] == groups
    score = np.where(same, _scores(rows["mean"], unseen_s, boxes, s), 0.0)
    weight = 0.7 + 0.3 * confidence
    confirmed = rows["confirmed"]
    fresh = unseen_s <= 0.5 + s.keep_lost_s / 4
    free = np.ones(len(rows), bool)

    def match(tracks: BoolArray, columns: BoolArray, least: float) -> None:
        track_rows, detection_rows = (tracks & free).nonzero()[0], (columns & (owner < 0)).nonzero()[0]
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
    return owner


def _scores(goes_on: FloatArray, unseen_s: FloatArray, boxes: FloatArray, settings: TrackerSettings) -> FloatArray:
    """(tracks, boxes) IoU, or that of buffered boxes where it is more; both boxes of a pair get the same buffer.

    A track is where it goes on, or where it has stopped, whichever fits better. All four are worked out at once: there
    are few boxes, and each step of an array costs the same for one as for four.
    """
    s = settings
    stopped = kalman.stopped(goes_on, np.maximum(unseen_s - MISSED_S, 0.0), s.stops_s)
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


def _overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    """IoU of boxes (..., 4), element by element."""
    size = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    np.maximum(size, 0.0, out=size)
    shared = size[..., 0] * size[..., 1]
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return np.asarray(shared / np.maximum(area_a + area_b - shared, 1e-9))
