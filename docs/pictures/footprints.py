"""Makes docs/pictures/footprints.jpg: one van, two zones, and what of it stands in each. Nobody is on the picture.

.venv/bin/python docs/pictures/footprints.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from pipelines.samples.library import staged_suite
from pipelines.samples.staged.scene import SIZE_PX, Scene
from pipelines.samples.staged.stage import Stage
from vision import coco
from vision.footprint import footprint, kerb_of
from vision.frame import Pixels
from vision.geometry import bottom_centres
from vision.ground import Ground

NAMES = ("wheels in the zone", "beside the zone")
AT_S = 25.0
#: What is shown of the picture: rows, columns.
PART = (slice(60, 300), slice(400, 720))
LARGER = 2


def main() -> int:
    scenes = {scene.name: scene for scene in staged_suite(lambda _: None, fetch=False).scenes}
    shown = np.hstack([drawn(scenes[name]) for name in NAMES])
    cv2.imwrite(str(Path(__file__).parent / "footprints.jpg"), shown, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return 0


def drawn(scene: Scene) -> Pixels:
    """The zone in yellow, the box in blue with its bottom centre, the footprint in red with its share in the zone."""
    plain, boxes = Stage(scene.company.plate, scene.players).draw(AT_S)
    picture = np.asarray(cv2.resize(plain[PART], None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_CUBIC), np.uint8)
    size, corner = np.array(SIZE_PX, float), np.array((PART[1].start, PART[0].start), float)

    def place(points_norm: np.ndarray) -> np.ndarray:
        return np.round((np.asarray(points_norm) * size - corner) * LARGER).astype(np.int32)

    (zone,) = scene.zones.values()
    ground = Ground.fit(scene.ground)
    cv2.polylines(picture, [place(zone)], True, (0, 200, 255), 2, cv2.LINE_AA)
    for one in boxes:
        x1, y1, x2, y2 = (np.array(one.xyxy_px) / np.tile(size, 2)).tolist()
        stands = footprint((x1, y1, x2, y2), coco.CAR, ground, kerb_of(zone, ground))
        assert stands is not None
        cv2.polylines(picture, [place(ground.to_picture(stands.corners_m))], True, (40, 40, 230), 2, cv2.LINE_AA)
        cv2.polylines(picture, [place(np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]))], True, (230, 180, 40), 1)
        foot = place(bottom_centres([(x1, y1, x2, y2)]))[0]
        cv2.circle(picture, (int(foot[0]), int(foot[1])), 5, (230, 180, 40), -1, cv2.LINE_AA)
        text = f"{scene.name}: {stands.share_in(zone, ground):.0%} inside"
        cv2.rectangle(picture, (0, 0), (picture.shape[1] // 2, 34), (255, 255, 255), -1)
        cv2.putText(picture, text, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (30, 30, 30), 1, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    sys.exit(main())
