"""How the benchmark scores what is seen on its stream."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.bench import seeing
from pipelines.errors import BadInput
from vision import coco
from vision.detection import Detections
from vision.frame import Pixels


class Bright:
    """Finds bright things as people."""

    name = "bright"

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        return [self._find(picture) for picture in pictures]

    @staticmethod
    def _find(picture: Pixels) -> Detections:
        bright = (picture[..., 1] > 200).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
        boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:count].tolist()]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(len(boxes), 0.9, np.float32),
            np.full(len(boxes), coco.PERSON, np.int64),
        )


def walking(count: int) -> list[Pixels]:
    ground = np.random.default_rng(2).integers(60, 120, (432, 768, 3), dtype=np.uint8)
    pictures = []
    for index in range(count):
        picture = ground.copy()
        picture[150:250, 100 + 5 * index : 140 + 5 * index] = 250
        pictures.append(picture)
    return pictures


def test_a_worker_sees_a_walker_where_every_picture_shows_him() -> None:
    pictures = walking(60)
    every = seeing.on_every_picture(Bright(), pictures)
    for found in seeing.as_a_worker(Bright(), (384, 512), pictures, cameras=3):
        assert found.keys() == {index + 1 for index in range(60) if seeing.is_analysed(index)}
        off = [abs(np.array(people[0]) - every[number][0]).max() for number, people in found.items() if people]
        assert len(off) >= len(found) - 2, "seen from the second picture on, also after the stream began anew"
        assert max(off) < 12


def test_truth_is_cut_as_the_stream_is_and_who_is_hardly_shown_need_not_be_found(tmp_path: Path) -> None:
    folder = tmp_path / "pets09"
    folder.mkdir()
    rows = ["1,1,100,200,40,100,1,-1,-1,-1", "1,2,300,20,40,100,1,-1,-1,-1", "1,3,500,300,40,90,0,-1,-1,-1"]
    (folder / "gt_keyframes_1-266.txt").write_text("\n".join(rows))
    truth = seeing.truth_on_stream(tmp_path)
    assert truth[1].xyxy.tolist() == [[100, 128, 140, 228]], "72 rows are cut off above"
    assert truth[1].ignored.tolist() == [[500, 228, 540, 318], [300, 0, 340, 48]]
    score = seeing.score(truth, [{1: [[100, 128, 140, 228], [300, 0, 340, 48]]}])
    assert (score.recall, score.precision, score.mae) == (1.0, 1.0, 0.0)
    with pytest.raises(BadInput, match="--data"):
        seeing.truth_on_stream(tmp_path / "elsewhere")


def test_the_truth_itself_is_readable() -> None:
    data = Path(os.environ.get("GATEWATCH_DATA", "../shared/data"))
    if not (data / "pets09").is_dir():
        pytest.skip("no truth: set GATEWATCH_DATA")
    truth = seeing.truth_on_stream(data)
    assert len(truth) == 54
    assert sum(seeing.is_analysed(number - 1) for number in truth) == 54, "each marked picture is one that is looked at"
