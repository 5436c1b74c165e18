"""What a tracker knows of the objects it follows: one row each, in one array, of which each picture makes a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vision import coco
from vision.detection import Int64Array
from vision.geometry import BoolArray, FloatArray
from vision.tracking import kalman
from vision.tracking.settings import TrackerSettings

#: Classes that may be taken for each other.
GROUPS: Final = ((coco.PERSON,), (coco.CAR, coco.BUS, coco.TRUCK), (coco.BICYCLE, coco.MOTORCYCLE))
OTHER_GROUPS: Final = 100
#: Class -> group, -1 for none; the last entry stands for every class beyond.
GROUP_OF: Final = np.array(
    [
        next((n for n, group in enumerate(GROUPS) if class_id in group), -1)
        for class_id in range(max(map(max, GROUPS)) + 2)
    ],
    np.int64,
)
#: So many classes may a track have been taken for.
_NAMES: Final = max(map(len, GROUPS))

Rows = npt.NDArray[np.void]
#: `voted`: the classes that it was taken for, in order of their coming, -1 for none, with the confidence that each has
#: gathered in `votes`; `class_id`: the one with the most, -1 before the first. `peak`: the most confidence so far. `mean` and
#: `covariance`: see `vision.tracking.kalman`. `vision/native/rows.pxd` has the same as a structure of C.
ROW: Final = np.dtype(
    [
        ("track_id", np.int64),
        ("group", np.int64),
        ("class_id", np.int64),
        ("hits", np.int64),
        ("first_seen_s", np.float64),
        ("last_seen_s", np.float64),
        ("confidence", np.float64),
        ("peak", np.float64),
        ("voted", np.int64, _NAMES),
        ("votes", np.float64, _NAMES),
        ("mean", np.float64, (4, 2)),
        ("covariance", np.float64, (4, 3)),
        ("confirmed", np.bool_),
    ],
    align=True,
)


def group_of(class_ids: Int64Array) -> Int64Array:
    """(N,) group of each class; a class outside `GROUPS` is a group of its own."""
    known = GROUP_OF[np.clip(class_ids, -1, len(GROUP_OF) - 1)]
    return np.where(known >= 0, known, class_ids + OTHER_GROUPS)


def remembered(rows: Rows, time_s: float, settings: TrackerSettings) -> Rows:
    """Those of `rows` that were seen lately enough, as a copy."""
    keep_s = np.where(rows["confirmed"], max(settings.keep_lost_s, 0.0), max(settings.keep_tentative_s, 0.0))
    return rows[time_s - rows["last_seen_s"] <= keep_s]


def correct(
    rows: Rows,
    which: Int64Array,
    boxes: FloatArray,
    confidence: FloatArray,
    class_id: Int64Array,
    time_s: float,
    settings: TrackerSettings,
) -> None:
    """The tracks `which` (N,) were seen as `boxes` (N, 4): change their `rows`."""
    if len(which) == 0:
        return
    seen = rows[which]
    seen["mean"], seen["covariance"] = kalman.correct(
        seen["mean"], seen["covariance"], kalman.to_measurements(boxes), confidence
    )
    seen["last_seen_s"] = time_s
    seen["confidence"] = confidence
    seen["hits"] += 1
    seen["peak"] = np.maximum(seen["peak"], confidence)
    seen["confirmed"] |= _are_sure(seen, settings)
    _vote(seen, class_id, confidence)
    rows[which] = seen


def begun(
    boxes: FloatArray,
    confidence: FloatArray,
    class_id: Int64Array,
    time_s: float,
    next_id: int,
    settings: TrackerSettings,
    *,
    is_first: bool,
) -> Rows:
    """Rows of new tracks. In the first picture nothing can have been seen before; what is there counts at once."""
    rows = np.zeros(len(boxes), ROW)
    rows["track_id"] = np.arange(next_id, next_id + len(boxes))
    rows["group"] = group_of(class_id)
    rows["hits"] = 1
    rows["first_seen_s"] = rows["last_seen_s"] = time_s
    rows["confidence"] = rows["peak"] = confidence
    rows["mean"], rows["covariance"] = kalman.start(kalman.to_measurements(boxes))
    rows["confirmed"] = is_first | _are_sure(rows, settings)
    rows["voted"] = -1
    _vote(rows, class_id, confidence)
    return rows


def _are_sure(rows: Rows, settings: TrackerSettings) -> BoolArray:
    long = rows["last_seen_s"] - rows["first_seen_s"] >= settings.confirm_slow_s
    return np.asarray((rows["hits"] >= settings.confirm_hits) & ((rows["peak"] >= settings.confirm_sure) | long))


def _vote(rows: Rows, class_id: Int64Array, weight: FloatArray) -> None:
    """Each of `rows` was taken for `class_id` (N,)."""
    voted = rows["voted"]
    each = np.arange(len(rows))
    place = ((voted == class_id[:, None]) | (voted < 0)).argmax(axis=1)
    voted[each, place] = class_id
    rows["votes"][each, place] += weight
    _count(rows)


def _count(rows: Rows) -> None:
    """The class with the most votes; of as many, the lesser one."""
    votes = np.where(rows["voted"] >= 0, rows["votes"], -np.inf)
    best = votes == votes.max(axis=1, keepdims=True)
    rows["class_id"] = np.where(best, rows["voted"], np.iinfo(np.int64).max).min(axis=1)


#: Of a row, what is one number and is saved under its own name.
_SAVED: Final = ("first_seen_s", "last_seen_s", "confidence", "peak", "hits", "confirmed", "group")


def to_json(rows: Rows) -> list[dict[str, Any]]:
    """Plain JSON values from which `from_json` makes the same rows."""
    columns = [rows[name].tolist() for name in ("track_id", *_SAVED, "voted", "votes", "mean", "covariance")]
    return [
        {
            "id": track_id,
            "first_seen_s": first_seen_s,
            "last_seen_s": last_seen_s,
            "confidence": confidence,
            "peak": peak,
            "hits": hits,
            "confirmed": confirmed,
            "group": group,
            "votes": {str(class_id): weight for class_id, weight in zip(voted, votes, strict=True) if class_id >= 0},
            "mean": mean,
            "covariance": covariance,
        }
        for track_id, first_seen_s, last_seen_s, confidence, peak, hits, confirmed, group, voted, votes, mean, covariance in zip(
            *columns, strict=True
        )
    ]


def from_json(saved: Sequence[dict[str, Any]]) -> Rows:
    """The inverse of `to_json`.

    Raises:
        KeyError, OverflowError, TypeError, ValueError: it is damaged.
    """
    rows = np.zeros(len(saved), ROW)
    rows["voted"] = -1
    if not saved:
        return rows
    rows["track_id"] = [values["id"] for values in saved]
    for name in _SAVED:
        rows[name] = [values[name] for values in saved]
    rows["mean"] = np.array([values["mean"] for values in saved], np.float64).reshape(-1, 4, 2)
    rows["covariance"] = np.array([values["covariance"] for values in saved], np.float64).reshape(-1, 4, 3)
    for row, values in enumerate(saved):
        votes: dict[str, float] = dict(values["votes"])
        if len(votes) > _NAMES:
            raise ValueError(f"track {values['id']}: votes for {len(votes)} classes, of at most {_NAMES}")
        rows["voted"][row, : len(votes)] = [int(class_id) for class_id in votes]
        rows["votes"][row, : len(votes)] = list(votes.values())
    _count(rows)
    return rows
