"""What the control room's wall shows: the analysed picture of each camera that somebody looks at, about once a second.

The analysis only leaves its newest picture here; making it small, encoding and sending happen in this thread, and only
while the bus says that somebody looks.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2
import numpy as np

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.events.live import LivePicture
from vision import coco
from vision.frame import Frame
from vision.scene import Scene
from vision.status import RuleStatus
from vision.track import TrackState

_EVERY_S: Final = 1.0
_ASK_EVERY_S: Final = 2.0
_POLL_S: Final = 0.1
_WIDTH_PX: Final = 640
_JPEG_QUALITY: Final = 70

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """`pipelines.events.live.LivePublisher` in production."""

    def wanted(self, camera_ids: list[str]) -> frozenset[str]: ...

    def publish(self, picture: LivePicture) -> None: ...


@dataclass(frozen=True, slots=True)
class _Shown:
    frame: Frame
    scene: Scene
    status: tuple[RuleStatus, ...]


class LiveView:
    """`wants` and `offer` from the worker's loop, `run` in a thread of its own."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._wanted: frozenset[str] = frozenset()
        self._newest: dict[str, _Shown] = {}
        self._sent_s: dict[str, float] = {}
        self._asked_s = float("-inf")

    def wants(self, camera_id: str) -> bool:
        """Whether somebody looks at this camera: else making an overlay would be for nobody."""
        if camera_id not in self._known:
            with self._lock:
                self._known.add(camera_id)
        return camera_id in self._wanted

    def offer(self, frame: Frame, scene: Scene, status: tuple[RuleStatus, ...]) -> None:
        """The newest analysed picture of a camera; one that was not sent yet is replaced."""
        with self._lock:
            self._newest[frame.camera_id] = _Shown(frame, scene, status)

    def run(self, stop: threading.Event) -> None:
        """Send until `stop`; while the bus is away, nobody looks."""
        away = False
        while not self._clock.wait(stop, _POLL_S):
            try:
                self.run_once()
                away = False
            except Unavailable as error:
                with self._lock:
                    self._wanted = frozenset()
                if not away:
                    _log.info("live pictures wait for the bus: %s", error)
                away = True

    def run_once(self) -> int:
        """Send what is due; returns how many pictures. Raises Unavailable."""
        now_s = self._clock.monotonic_s()
        if now_s - self._asked_s >= _ASK_EVERY_S:
            self._asked_s = now_s
            with self._lock:
                known = sorted(self._known)
            wanted = self._publisher.wanted(known)
            with self._lock:
                self._wanted = wanted
                self._newest = {name: shown for name, shown in self._newest.items() if name in wanted}
        with self._lock:
            due = [name for name in self._newest if now_s - self._sent_s.get(name, float("-inf")) >= _EVERY_S]
            shown = [self._newest.pop(name) for name in due]
        for one in shown:
            self._sent_s[one.frame.camera_id] = now_s
            self._publisher.publish(picture(one.frame, one.scene, one.status))
        return len(shown)


def picture(frame: Frame, scene: Scene, status: tuple[RuleStatus, ...]) -> LivePicture:
    """The frame at most 640 pixels wide, as JPEG, with what was seen in it."""
    pixels = frame.pixels
    if frame.width_px > _WIDTH_PX:
        height_px = round(frame.height_px * _WIDTH_PX / frame.width_px)
        pixels = np.asarray(cv2.resize(pixels, (_WIDTH_PX, height_px), interpolation=cv2.INTER_AREA), np.uint8)
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return LivePicture(frame.camera_id, frame.time_s, jpeg.tobytes(), overlay(scene, status))


def overlay(scene: Scene, status: tuple[RuleStatus, ...]) -> dict[str, Any]:
    """What was seen, as plain values; places are 0..1 of the picture."""
    boxes = [
        {
            "box": [round(float(value), 4) for value in box],
            "kind": coco.NAMES.get(track.class_id, str(track.class_id)),
            "track": track.track_id,
        }
        for track, box in zip(scene.tracks, scene.track_boxes_norm(), strict=True)
        if track.state is TrackState.CONFIRMED
    ]
    # For hiding heads and plates on the way to those who may not see them: also what is too unsure to be followed, and also
    # what is followed without having been found in this very picture (it stands still, or is half hidden).
    seen = [*zip(scene.detections.class_id, scene.boxes_norm(), strict=True)]
    seen += zip((track.class_id for track in scene.tracks), scene.track_boxes_norm(), strict=True)
    hide = [
        ["person" if class_id == coco.PERSON else "vehicle", *(round(float(value), 4) for value in box)]
        for class_id, box in seen
        if class_id == coco.PERSON or class_id in coco.VEHICLES
    ]
    rules = [
        {
            "rule": one.rule_id,
            "kind": one.kind,
            "zone": one.zone_id,
            "state": one.state,
            "box": None if one.box_norm is None else [round(value, 4) for value in one.box_norm],
            "incident": one.incident_id,
            "evidence": {name: {"value": item.value, "unit": item.unit} for name, item in one.evidence.items()},
        }
        for one in status
    ]
    return {"boxes": boxes, "rules": rules, "hide": hide, "view": scene.view.state.value}
