"""Plays the suite of staged scenes through the detector and the engine: one row of figures for each scene."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from pipelines.config.build import camera_spec
from pipelines.config.schema import Config
from pipelines.samples.staged.scene import START_S, Scene
from vision import coco
from vision.engine import Engine
from vision.evaluation.incidents import Happening, IncidentScore, score_incidents
from vision.frame import Frame

if TYPE_CHECKING:
    from vision.camera import CameraSpec
    from vision.crowd_watch import CrowdReader
    from vision.detection import Detector
    from vision.incident import Incident

_CAMERA: Final = "staged"
#: How far from the truth an incident may open and close; the second at one picture a second.
TOLERANCE_S: Final = 2.0
TOLERANCE_SLOW_S: Final = 10.0
#: What a vehicle may be told of as; a van is a car to one detector and a truck to another.
_MAY_BE: Final = {"car": {"car", "truck"}}


def suite(scenes: Iterable[Scene], detector: Detector, crowds: CrowdReader | None = None) -> Iterator[dict[str, Any]]:
    """A row for each scene: what had to be raised, what was, how late, and whether all of it was right."""
    for scene in scenes:
        reported = _play(scene, detector, crowds)
        true = [
            Happening(i.kind, i.zone, i.opens_s, i.closes_s, "" if i.class_id is None else coco.NAMES[i.class_id])
            for i in scene.incidents()
        ]
        yield _row(scene, true, reported, score_incidents(true, reported, scene.duration_s))


def _row(scene: Scene, true: list[Happening], reported: list[Happening], score: IncidentScore) -> dict[str, Any]:
    tolerance_s = TOLERANCE_SLOW_S if scene.fps <= 1 else TOLERANCE_S
    delays = [*score.opening_delays_s, *score.closing_delays_s]
    closed_alike = sum(one.closed_s is None for one in true) == sum(one.closed_s is None for one in reported)
    wrong_vehicle = sum(b.subject not in _MAY_BE.get(a.subject, {a.subject}) for a, b in score.pairs)
    right = score.matched == len(true) == len(reported) and closed_alike and not wrong_vehicle
    return {
        "scene": scene.name,
        "right": right and all(abs(delay) <= tolerance_s for delay in delays),
        "true": score.true,
        "reported": score.reported,
        "matched": score.matched,
        "duplicates": score.duplicates,
        "false_alarms": score.false_alarms,
        "wrong_vehicle": wrong_vehicle,
        "opening_delay_s": _worst(score.opening_delays_s),
        "closing_delay_s": _worst(score.closing_delays_s),
        "not_solved": scene.unsure,
    }


def _worst(delays_s: tuple[float, ...]) -> float | None:
    if not delays_s:
        return None
    early, late = min(delays_s), max(delays_s)
    return round(early if -early > late else late, 2)


def _play(scene: Scene, detector: Detector, crowds: CrowdReader | None) -> list[Happening]:
    spec = camera_of(scene)
    engine = Engine(spec, crowds=crowds)
    restarts = sorted(scene.restarts)
    last: dict[str, Incident] = {}
    for number, picture in enumerate(scene.frames()):
        if restarts and picture.time_s >= restarts[0]:
            restarts.pop(0)
            saved = json.dumps(engine.snapshot())
            engine = Engine(spec, crowds=crowds)
            engine.restore(json.loads(saved))
        frame = Frame(_CAMERA, f"run-{number}", START_S + picture.time_s, picture.pixels)
        for message in engine.step(frame, detector.detect([picture.pixels])[0]).incidents:
            last[message.incident_id] = message
    return [_happening(message) for message in last.values() if message.opened_s is not None]


def _happening(message: Incident) -> Happening:
    opened_s = message.first_seen_s if message.opened_s is None else message.opened_s
    closed_s = None if message.closed_s is None else message.closed_s - START_S
    vehicle = message.evidence.get("vehicle")
    return Happening(
        message.kind, message.zone_id, opened_s - START_S, closed_s, "" if vehicle is None else str(vehicle.value)
    )


def camera_of(scene: Scene) -> CameraSpec:
    """The camera of a scene, with its zones, ground and rules."""
    camera = {
        "main": {"url": "rtsp://127.0.0.1/staged"},
        "zones": {name: {"polygon": list(polygon)} for name, polygon in scene.zones.items()},
        "ground": [{"picture": list(picture), "metres": list(metres)} for picture, metres in scene.ground],
        "rules": [dict(rule) for rule in scene.rules],
    }
    return camera_spec(Config.model_validate({"cameras": {_CAMERA: camera}}), _CAMERA)
