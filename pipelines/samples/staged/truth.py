"""Writes what is true about a staged clip: boxes as MOT rows, people per picture, incidents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pipelines.samples.staged.scene import SIZE_PX, Scene, StagedFrame
from vision import coco
from vision.frame import Pixels

#: MOT Challenge's class numbers (MOT16, table 4): pedestrian and car.
_MOT_CLASS: Final = {coco.PERSON: 1, coco.CAR: 3, coco.BUS: 3, coco.TRUCK: 3}


def incidents(scene: Scene) -> list[dict[str, Any]]:
    """The scene's incidents as JSON values, times in seconds from the first picture."""
    return [
        {
            "kind": incident.kind,
            "zone": incident.zone,
            "subject": incident.subject,
            "box_px": None if incident.box_px is None else [round(value, 1) for value in incident.box_px],
            "opens_s": round(incident.opens_s, 2),
            "closes_s": None if incident.closes_s is None else round(incident.closes_s, 2),
        }
        for incident in scene.incidents()
    ]


class TruthWriter:
    """Collects the truth while the pictures go by; `write` puts NAME.mot.txt and NAME.truth.json into a folder."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rows: list[str] = []
        self._people: list[int] = []
        self._in_zones: dict[str, list[int]] = {zone: [] for zone in scene.zones}

    def pixels(self, frames: Iterable[StagedFrame]) -> Iterator[Pixels]:
        """The pictures, their truth taken down."""
        for number, frame in enumerate(frames, start=1):
            people = 0
            for box in frame.boxes:
                x1, y1, x2, y2 = box.xyxy_px
                people += box.class_id == coco.PERSON
                self._rows.append(
                    f"{number},{box.player_id},{x1:.1f},{y1:.1f},{x2 - x1:.1f},{y2 - y1:.1f},1,"
                    f"{_MOT_CLASS[box.class_id]},{box.visible:.2f}"
                )
            self._people.append(people)
            for zone, counts in self._in_zones.items():
                counts.append(self._scene.count(zone, frame.time_s))
            yield frame.pixels

    def write(self, folder: Path) -> None:
        """MOT rows: frame (from 1), id, left, top, width, height, 1, class (1 pedestrian, 3 car), visible 0..1."""
        scene = self._scene
        (folder / f"{scene.name}.mot.txt").write_text("\n".join(self._rows) + "\n", encoding="ascii")
        values = {
            "clip": scene.name,
            "what": scene.what,
            "fps": scene.fps,
            "duration_s": scene.duration_s,
            "size_px": list(SIZE_PX),
            "incidents": incidents(scene),
            "people": self._people,
            "people_in_zone": self._in_zones,
        }
        (folder / f"{scene.name}.truth.json").write_text(json.dumps(values) + "\n", encoding="utf-8")
