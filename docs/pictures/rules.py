"""Makes the pictures of docs/parking-and-crowding.md from staged scenes: what the engine sees, people's heads hidden. Yellow
dots are where a crowd that was read stands.

.venv/bin/python docs/pictures/rules.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

from pipelines.config.schema import Config
from pipelines.crowding.loading import any_crowds
from pipelines.detector import boxes_to_hide, load_detector
from pipelines.evaluating_staged import camera_of
from pipelines.media.drawing import draw_scene
from pipelines.media.hiding import Box, hide
from pipelines.samples.library import staged_suite
from pipelines.samples.staged.scene import START_S, Scene
from vision import coco
from vision.crowd import CrowdReading
from vision.crowd_watch import CrowdReader
from vision.detection import Detector
from vision.engine import Engine
from vision.frame import Frame, Pixels
from vision.incident import Incident, Phase

HERE = Path(__file__).parent
#: (file, scene, at which second)
PICTURES = (
    ("parking.jpg", "people in front", 30.6),
    ("queue.jpg", "stop and go", 66.0),
    ("bus.jpg", "bus stays", 133.0),
    ("crowding.jpg", "crowd", 34.0),
    ("dense.jpg", "crowd of 3.5 per m2", 26.0),
)


def main() -> int:
    scenes = {scene.name: scene for scene in staged_suite(lambda text: None).scenes}
    detector, crowds = load_detector(Config()), any_crowds(Config(), sys.exit)
    for file, name, at_s in PICTURES:
        cv2.imwrite(str(HERE / file), picture(scenes[name], detector, crowds, at_s), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return 0


def picture(scene: Scene, detector: Detector, crowds: CrowdReader | None, at_s: float) -> Pixels:
    """The scene at that second, as the engine sees it."""
    engine = Engine(camera_of(scene), crowds=crowds)
    told: dict[str, Incident] = {}
    read: CrowdReading | None = None
    for staged in scene.frames():
        frame = Frame("staged", "run", START_S + staged.time_s, staged.pixels)
        found = detector.detect([frame.pixels])[0]
        step = engine.step(frame, found)
        told |= {incident.incident_id: incident for incident in step.incidents}
        read = read if step.scene is None or step.scene.crowd is None else step.scene.crowd
        if staged.time_s >= at_s and step.scene is not None:
            shown = frame.pixels.copy()
            people = [Box("person", *box.xyxy_px) for box in staged.boxes if box.class_id == coco.PERSON]
            hide(shown, people + [one for one in boxes_to_hide(found) if one.kind == "person"])
            running = [one for one in told.values() if one.phase is not Phase.CLOSED]
            for (x, y), people_there in zip(read.places, read.people, strict=True) if read is not None else ():
                foot = round(x * shown.shape[1]), round(y * shown.shape[0])
                cv2.circle(shown, foot, max(1, round(3 * people_there**0.5)), (0, 200, 255), -1, cv2.LINE_AA)
            said = [str(one.evidence["in_words_en"].value) for one in running if "in_words_en" in one.evidence]
            name = f"{scene.name}, " if not said else ""
            clock = "; ".join([f"{name}{staged.time_s:.1f} s", *said])
            return draw_scene(shown, engine.camera.zones, step.scene.tracks, running, frame.time_s, clock)
    raise ValueError(f"{scene.name} ends before {at_s} s")


if __name__ == "__main__":
    sys.exit(main())
