"""The model that `gatewatch models build` made, on real footage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.config.schema import Config
from pipelines.detector import load_detector
from pipelines.errors import BadInput
from pipelines.media.file import FileSource
from pipelines.models.installed import Installed, find_model
from pipelines.paths import default_data_dir, samples_dir
from vision.behaviours.people import SURE
from vision.coco import PERSON, VEHICLES
from vision.detection import Detector, Preparable, canvas_heights
from vision.detectors import make_detector
from vision.detectors.agreement import agreement, box_iou
from vision.detectors.openvino import OpenVinoDetector
from vision.detectors.settings import DetectorSettings
from vision.frame import Pixels

pytestmark = pytest.mark.model

DATA = Path(os.environ.get("GATEWATCH_DATA", Path(__file__).parents[2] / "shared" / "data"))


def installed(name: str) -> tuple[Path, Installed]:
    try:
        return find_model(name, (default_data_dir() / "models",))
    except BadInput as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    path = samples_dir() / "vtest.avi"
    if not path.is_file():
        pytest.skip(f"{path} is not there: gatewatch samples pull")
    return [frame.pixels for index, frame in enumerate(FileSource(str(path), "c")) if index < 266]


@pytest.fixture(scope="module")
def detector() -> Detector:
    installed("yolov8n-int8")
    return load_detector(Config())


def test_the_default_configuration_sees_walkers_and_the_parked_vehicles(
    detector: Detector, pictures: list[Pixels]
) -> None:
    assert detector.name == "yolov8n-int8 384x512 openvino"
    found = detector.detect(pictures[::40])
    assert all((one.class_id == PERSON).sum() >= 3 for one in found)
    seen = [sum(class_id in VEHICLES for class_id in one.class_id.tolist()) for one in found]
    assert all(count >= 1 for count in seen)
    assert max(seen) <= 2  # a van and a car; the van never as car and truck at once


def test_one_by_one_is_the_same_as_together(detector: Detector, pictures: list[Pixels]) -> None:
    together = detector.detect(pictures[:5])
    for picture, expected in zip(pictures[:5], together, strict=True):
        assert len(expected.class_id) >= 4  # walkers and what is parked
        alone = detector.detect([picture])[0]
        np.testing.assert_array_equal(alone.confidence, expected.confidence)
        np.testing.assert_array_equal(alone.xyxy_px, expected.xyxy_px)
        np.testing.assert_array_equal(alone.class_id, expected.class_id)


def test_pictures_are_not_changed(detector: Detector, pictures: list[Pixels]) -> None:
    before = pictures[0].copy()
    detector.detect([pictures[0]])
    np.testing.assert_array_equal(pictures[0], before)


@pytest.mark.parametrize("size", [(384, 512), (256, 448), (640, 640)])
def test_openvino_and_onnx_runtime_agree(size: tuple[int, int], pictures: list[Pixels]) -> None:
    model, _ = installed("yolov8n-fp32")
    settings = DetectorSettings(model, size, threads=2)
    found = [make_detector(backend, settings).detect(pictures[:60:20]) for backend in ("openvino", "onnxruntime")]
    both = agreement(zip(*found, strict=True), iou=0.95)
    assert both.shared == both.reference == both.other > 10


def test_int8_keeps_what_its_record_says(pictures: list[Pixels]) -> None:
    fp32, _ = installed("yolov8n-fp32")
    int8, record = installed("yolov8n-int8")
    assert all(entry["kept"] >= 0.98 for entry in record.agreement)
    found = [make_detector("openvino", DetectorSettings(m, threads=2)).detect(pictures[7::20]) for m in (fp32, int8)]
    assert agreement(zip(*found, strict=True)).kept >= 0.96  # few pictures: one box is 1 %


@pytest.mark.data
def test_people_are_counted_as_the_truth_has_them(detector: Detector, pictures: list[Pixels]) -> None:
    path = DATA / "pets09" / "gt_keyframes_1-266.txt"
    if not path.is_file():
        pytest.skip(f"no {path}: set GATEWATCH_DATA")
    truth = np.loadtxt(path, delimiter=",")
    errors, kept = [], []
    for number in np.unique(truth[:, 0]).astype(int):
        rows = truth[truth[:, 0] == number]
        boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1).astype(np.float32)
        wanted = rows[:, 6] > 0
        one = detector.detect([pictures[number - 1]])[0]
        # Weaker boxes are passed on for the tracker to go on with; by themselves they count nobody.
        people = one.where((one.class_id == PERSON) & (one.confidence >= SURE)).xyxy_px
        overlap = box_iou(boxes, people)
        ignored = (overlap[~wanted] >= 0.5).any(axis=0) & ~(overlap[wanted] >= 0.5).any(axis=0)
        errors.append(abs(int((~ignored).sum()) - int(wanted.sum())))
        kept += (overlap[wanted] >= 0.5).any(axis=1).tolist()
    assert np.mean(errors) <= 0.5
    assert np.mean(kept) >= 0.88


def test_what_is_prepared_is_not_compiled_again(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(detector, OpenVinoDetector)
    assert isinstance(detector, Preparable)
    compiled: list[tuple[int, int]] = []

    def compile_(_model: object, input_px: tuple[int, int], streams: int | None = None) -> list[Any]:
        compiled.append(input_px)
        return detector._slots[384, 512]

    monkeypatch.setattr(detector, "_slots", dict(detector._slots))
    monkeypatch.setattr(detector, "_compile", compile_)
    detector.prepare()
    assert compiled == [(height, 512) for height in canvas_heights(384)[:-1]]
    detector.prepare()
    assert len(compiled) == 2
