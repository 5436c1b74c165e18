"""`gatewatch evaluate` says what is missing, and measures what is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.cli import main
from pipelines.config.schema import Config
from pipelines.detector import load_detector
from pipelines.errors import BadInput, GatewatchError
from pipelines.evaluating import crowding, parking
from pipelines.paths import samples_dir
from vision import coco
from vision.detection import Detections
from vision.evaluation.tiles import detect_in_parts
from vision.frame import Pixels

DATA = Path(os.environ.get("GATEWATCH_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


class Blind:
    """A detector that finds nothing: enough to test what is read."""

    name = "blind"

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        return [Detections.empty() for _ in pictures]


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "crowding", "--data", "/nowhere"]) == 2
    assert "--data /nowhere: no such folder" in capsys.readouterr().err


def test_a_folder_without_truth(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no pets09/gt_keyframes"):
        crowding(tmp_path, None, Blind())
    with pytest.raises(BadInput, match="holds no"):
        parking(tmp_path, Blind())


def test_truth_without_its_video(tmp_path: Path) -> None:
    (tmp_path / "gt_keyframes_1-266.txt").write_text("1,1,0,0,10,10,1,-1,-1,-1\n")
    with pytest.raises(BadInput, match="no such file"):
        crowding(tmp_path, tmp_path / "gone.avi", Blind())
    (tmp_path / "gt_keyframes_1-266.txt").write_text("1,1,0,0\n")
    with pytest.raises(BadInput, match=r"gt_keyframes_1-266\.txt:1: expected"):
        crowding(tmp_path, tmp_path / "gone.avi", Blind())


@pytest.mark.data
def test_pictures_without_any_report() -> None:
    if not (DATA / "pklot").is_dir():
        pytest.skip(f"{DATA}: no data")
    result = parking(DATA, Blind())
    assert (result["true"], result["reported"], result["recall"]) == (11, 0, 0.0)
    assert len(result["pictures"]) == 15


@pytest.mark.data
@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize(
    ("subject", "at_least", "at_most"),
    [
        ("crowding", {"recall": 0.9, "precision": 0.9}, {"mae": 0.36}),
        ("tracking", {"hota": 0.6, "mota": 0.8, "idf1": 0.79}, {}),
        ("parking", {"recall": 0.8, "precision": 0.85}, {}),
    ],
)
def test_the_figures_hold(
    subject: str, at_least: dict[str, float], at_most: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    if not DATA.is_dir() or not (samples_dir() / "vtest.avi").is_file():
        pytest.skip(f"{DATA}: no data, or no vtest.avi")
    try:
        load_detector(Config())
    except GatewatchError as error:
        pytest.skip(str(error))
    assert main(["evaluate", subject, "--data", str(DATA), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    for name, low in at_least.items():
        assert result[name] >= low, result
    for name, high in at_most.items():
        assert result[name] <= high, result


class Lookout:
    """Sees bright squares; small ones only where they are not small against the picture, as a network does."""

    name = "lookout"

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Pixels) -> Detections:
        _, _, stats, _ = cv2.connectedComponentsWithStats((picture.max(axis=2) > 100).astype(np.uint8))
        found = [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:] if w >= picture.shape[1] / 20]
        boxes = np.array(found, np.float32).reshape(-1, 4)
        return Detections(boxes, np.full(len(boxes), 0.8, np.float32), np.full(len(boxes), coco.CAR, np.int64))


def test_small_cars_are_found_in_the_parts_and_each_once() -> None:
    picture = np.zeros((400, 800, 3), np.uint8)
    cars = [(60, 60, 90, 90), (385, 180, 425, 220), (100, 200, 180, 260), (700, 320, 730, 350), (790, 10, 800, 20)]
    for x1, y1, x2, y2 in cars:
        picture[y1:y2, x1:x2] = 255
    whole = Lookout().detect([picture])[0]
    parts = detect_in_parts(Lookout(), picture, frozenset({coco.CAR}))
    assert len(whole) == 2
    assert sorted(map(tuple, parts.xyxy_px.tolist())) == sorted(cars[:4])  # the last is small in every part
    assert len(detect_in_parts(Lookout(), picture, frozenset({coco.PERSON}))) == 0
