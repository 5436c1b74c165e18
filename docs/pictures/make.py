"""Makes the README's picture of an incident from the staged sample clip, people's heads blurred.

.venv/bin/python docs/pictures/make.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2

from pipelines.analysis_of_file import FileAnalysis
from pipelines.config.schema import Camera, Config, Site, Stream
from pipelines.detector import load_detector
from pipelines.samples import library
from vision import coco
from vision.frame import Pixels

HERE = Path(__file__).parent


def main() -> int:
    clip = library.clips()["gate"]
    values = {"main": Stream(url="gate"), "name": clip.name, "zones": dict(clip.zones), "rules": [*clip.rules]}
    camera = Camera.model_validate({**values, "main": {"url": "gate"}})
    config = Config(site=Site(name="示范学校 · Sample school"), cameras={"gate": camera})
    detector = load_detector(config)
    with tempfile.TemporaryDirectory() as folder:
        analysis = FileAnalysis(
            config,
            "gate",
            str(library.streams_dir() / "gate-main.mp4"),
            fps=5.0,
            start_s=1_788_218_400.0,
            now_s=0.0,
            detector=detector,
            pictures=Path(folder),
        )
        for incident in analysis.run(lambda _seconds: None):
            if incident.kind == "illegal_parking":
                place = next(Path(folder).rglob(f"{incident.incident_id}/limit.jpg"))
                picture = cv2.imread(str(place))
                blur_heads(picture, detector.detect([picture])[0])
                cv2.imwrite(str(HERE / "incident.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
                return 0
    sys.stderr.write("the staged clip raised no parking incident\n")
    return 1


def blur_heads(picture: Pixels, found: object) -> None:
    """The upper quarter of every person's box, in place."""
    for box, class_id in zip(found.xyxy_px, found.class_id, strict=True):  # type: ignore[attr-defined]
        if class_id == coco.PERSON:
            x1, y1, x2, y2 = (int(value) for value in box)
            head = picture[max(0, y1 - 4) : y1 + (y2 - y1) // 4, max(0, x1 - 2) : x2 + 2]
            if head.size:
                head[:] = cv2.GaussianBlur(head, (0, 0), 5)


if __name__ == "__main__":
    sys.exit(main())
