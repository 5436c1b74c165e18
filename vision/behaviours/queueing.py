"""Traffic that queues: vehicles that stand, move up and stand again, each in its turn.

A queue is not parking, however long it stands at one place. Whoever parks beside a queue does not move when it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vision import coco
from vision.geometry import Box, displacement
from vision.scene import Scene
from vision.track import TrackState

#: A vehicle stands when its box has not left its place for so long, by more than this share of its size.
_STANDS_S: Final = 1.5
_STILL: Final = 0.08
#: It has moved up when it left a place where it had stood for a moment, by this and not by much more than its length.
_STOOD_S: Final = 3.0
_UP_LEAST: Final = 0.3
_UP_MOST: Final = 4.0
_MOVING_MOST_S: Final = 20.0
#: How near (in lengths) the vehicles of one queue are, and how long a move is remembered.
_NEAR: Final = 2.5
_MEMORY_S: Final = 120.0
#: A vehicle that stays where it is while its neighbours move up this often is not one of them.
_PASSED_BY: Final = 2


@dataclass(slots=True)
class _Vehicle:
    """`anchor` is where it stands, or was when it was last looked at while moving."""

    anchor: Box
    since_s: float
    seen_s: float
    stood_at: Box | None = None
    left_s: float | None = None
    standing: bool = False


@dataclass(frozen=True, slots=True)
class _Turn:
    """One vehicle moved up: it stands at `place` since `time_s`."""

    track_id: int
    place: Box
    time_s: float


class Traffic:
    """Follows which vehicles of a picture move up in turn."""

    def __init__(self) -> None:
        self._vehicles: dict[int, _Vehicle] = {}
        self._turns: list[_Turn] = []

    def step(self, scene: Scene) -> None:
        """One picture that can be believed."""
        time_s = scene.time_s
        width, height = scene.width_px, scene.height_px
        for track in scene.tracks:
            if track.class_id in coco.VEHICLES and track.state is TrackState.CONFIRMED:
                x1, y1, x2, y2 = track.xyxy_px
                self._follow(track.track_id, (x1 / width, y1 / height, x2 / width, y2 / height), time_s)
        self._vehicles = {key: one for key, one in self._vehicles.items() if time_s - one.seen_s <= _MOVING_MOST_S}
        self._turns = [turn for turn in self._turns if time_s - turn.time_s <= _MEMORY_S]

    def _follow(self, track_id: int, box: Box, time_s: float) -> None:
        known = self._vehicles.get(track_id)
        if known is None:
            self._vehicles[track_id] = _Vehicle(box, time_s, time_s)
            return
        known.seen_s = time_s
        off = displacement(known.anchor, box)
        if known.standing:
            if off > _UP_LEAST:
                stood = time_s - known.since_s >= _STOOD_S
                known.stood_at, known.left_s = (known.anchor, time_s) if stood else (None, None)
                known.standing, known.anchor, known.since_s = False, box, time_s
        elif off > _STILL:
            known.anchor, known.since_s = box, time_s
        elif time_s - known.since_s >= _STANDS_S:
            known.standing = True
            if known.stood_at is not None and known.left_s is not None:
                moved = displacement(known.stood_at, box)
                if _UP_LEAST < moved <= _UP_MOST and known.since_s - known.left_s <= _MOVING_MOST_S:
                    self._turns.append(_Turn(track_id, box, known.since_s))

    def queues(self, track_id: int, place: Box, stopped_s: float) -> bool:
        """Whether the vehicle that stands at `place` since `stopped_s` is one of a queue: it came there by moving up, a
        neighbour has moved up as well, and it has not stayed while its neighbours went on.
        """
        own = any(turn.track_id == track_id for turn in self._turns)
        near = [turn for turn in self._turns if turn.track_id != track_id and _lengths(place, turn.place) <= _NEAR]
        # Those who move with it stop a moment before or after it.
        later = [turn for turn in near if turn.time_s > stopped_s + _MOVING_MOST_S / 2]
        passed_by = len({turn.track_id for turn in later}) >= _PASSED_BY
        return own and bool(near) and not passed_by

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON values from which `restore` goes on exactly."""
        return {
            "vehicles": {
                str(key): [list(v.anchor), v.since_s, v.seen_s, v.stood_at and list(v.stood_at), v.left_s, v.standing]
                for key, v in self._vehicles.items()
            },
            "turns": [[turn.track_id, list(turn.place), turn.time_s] for turn in self._turns],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._vehicles = {
            int(key): _Vehicle(_box(anchor), since_s, seen_s, None if stood is None else _box(stood), left_s, standing)
            for key, (anchor, since_s, seen_s, stood, left_s, standing) in state["vehicles"].items()
        }
        self._turns = [_Turn(track_id, _box(place), time_s) for track_id, place, time_s in state["turns"]]


def _box(values: list[float]) -> Box:
    return (values[0], values[1], values[2], values[3])


def _lengths(a: Box, b: Box) -> float:
    """How far apart two places are, from middle to middle, in the mean of their widths and heights."""
    width = (a[2] - a[0] + b[2] - b[0]) / 2
    height = (a[3] - a[1] + b[3] - b[1]) / 2
    x, y = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    return max(abs(x) / max(width, 1e-9), abs(y) / max(height, 1e-9))
