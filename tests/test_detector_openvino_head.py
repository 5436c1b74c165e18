"""The end of a YOLO network written anew says what the network said, and is left alone where it is another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openvino import opset13 as ops

from vision.coco import BUS, CAR, NAMES, PERSON
from vision.detectors import make_detector
from vision.detectors.openvino_head import rearranged
from vision.detectors.settings import DetectorSettings

HEIGHT, WIDTH, CLASSES = 64, 96, 80
ROWS = np.array(sorted(NAMES))


def constant(*value: int) -> ov.Node:
    return ops.constant(np.array(value))


def yolo(seed: int = 1, classes: int = CLASSES, name: str = "/model.22/cv{b}.{i}/cv{b}.{i}.2/Conv") -> ov.Model:
    """A network with the end that Ultralytics' export has, and little before it: averages of 8, 16 and 32 pixels."""
    numbers = np.random.default_rng(seed)
    picture = ops.parameter([1, 3, HEIGHT, WIDTH], np.float32, name="images")
    lying: dict[int, list[ov.Node]] = {2: [], 3: []}
    middles, lengths = [], []
    for level, stride in enumerate((8, 16, 32)):
        size = [stride, stride]
        seen = ops.avg_pool(picture, size, [0, 0], [0, 0], size, exclude_pad=False, auto_pad="valid")
        for branch, channels in ((2, 64), (3, classes)):
            weights = numbers.normal(0, 4, (channels, 3, 1, 1)).astype(np.float32)
            bias = numbers.normal(-1, 2, (1, channels, 1, 1)).astype(np.float32)
            found = ops.convolution(seen, ops.constant(weights), [1, 1], [0, 0], [0, 0], [1, 1])
            last = ops.add(found, ops.constant(bias))
            last.set_friendly_name(name.format(b=branch, i=level))
            lying[branch].append(ops.reshape(last, constant(1, channels, -1), False))
        y, x = np.mgrid[0 : HEIGHT // stride, 0 : WIDTH // stride]
        middles.append(np.stack([x.ravel(), y.ravel()]) + 0.5)
        lengths.append(np.full(x.size, stride))
    steps = ops.reshape(ops.concat(lying[2], 2), constant(1, 4, 16, -1), False)
    weight = np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1)
    away = ops.convolution(
        ops.softmax(ops.transpose(steps, constant(0, 2, 1, 3)), 1), ops.constant(weight), [1, 1], [0, 0], [0, 0], [1, 1]
    )
    away = ops.reshape(away, constant(1, 4, -1), False)
    before, after = (ops.slice(away, constant(a), constant(a + 2), constant(1), constant(1)) for a in (0, 2))
    place = ops.constant(np.concatenate(middles, axis=1)[None].astype(np.float32))
    least, most = ops.subtract(place, before), ops.add(place, after)
    centre = ops.divide(ops.add(least, most), ops.constant(np.float32(2)))
    boxes = ops.multiply(
        ops.concat([centre, ops.subtract(most, least)], 1),
        ops.constant(np.concatenate(lengths).astype(np.float32)),
    )
    table = ops.concat([boxes, ops.sigmoid(ops.concat(lying[3], 2))], 1)
    table.output(0).get_tensor().set_names({"output0"})
    return ov.Model([ops.result(table)], [picture], "yolo")


def seen(model: ov.Model, picture: np.ndarray) -> np.ndarray:
    return np.array(ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([picture])[0])


@given(st.integers(0, 10_000), st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=8, unique=True))
def test_it_says_the_same_of_the_classes_that_count(seed: int, rows: list[int]) -> None:
    picture = np.random.default_rng(seed).random((1, 3, HEIGHT, WIDTH), np.float32)
    anew = rearranged(yolo(seed), np.array(rows))
    assert anew is not None
    before, after = seen(yolo(seed), picture)[0], seen(anew, picture)[0]
    assert after.shape == (4 + len(rows), 8 * 12 + 4 * 6 + 2 * 3)
    np.testing.assert_allclose(after[:4], before[:4], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(after[4:], before[4:][rows], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        yolo(name="/model.22/other{b}.{i}/Conv"),
        yolo(name="/model.22/cv{b}.{i}/cv{b}.{i}.1/Conv"),
        yolo(name="/model.22/cv2.{i}/cv2.{i}.2/Conv"),
    ],
    ids=["other names", "another layer", "one branch only"],
)
def test_another_end_is_left_as_it_is(model: ov.Model) -> None:
    before = seen(model, np.full((1, 3, HEIGHT, WIDTH), 0.5, np.float32))
    assert rearranged(model, ROWS) is None
    np.testing.assert_array_equal(seen(model, np.full((1, 3, HEIGHT, WIDTH), 0.5, np.float32)), before)


def test_a_grid_that_is_not_all_of_the_output_is_left_as_it_is() -> None:
    model = yolo()
    table = model.output(0).get_node().input_value(0)
    part = ops.slice(table, constant(0), constant(40), constant(1), constant(2))
    assert rearranged(ov.Model([ops.result(part)], model.get_parameters(), "part"), ROWS) is None


@pytest.mark.parametrize("name", ["/model.22/cv{b}.{i}/cv{b}.{i}.2/Conv", "other{b}.{i}"])
def test_the_detector_finds_the_same_with_either_end(name: str, tmp_path: Path) -> None:
    """What the network itself says, read by hand, is what the detector says of it."""
    model = yolo(seed=7, name=name)
    ov.save_model(model, tmp_path / "model.xml", compress_to_fp16=False)
    picture = np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    settings = DetectorSettings(tmp_path / "model.xml", input_px=(HEIGHT, WIDTH), confidence=0.9, overlap=1.0)
    found = make_detector("openvino", settings).detect([picture])[0]
    output = seen(model, picture[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255)[0]
    scores = output[4:][ROWS]
    sure = scores.max(axis=0) >= 0.9
    assert 5 < sure.sum() == len(found)
    assert sorted(found.class_id.tolist()) == sorted(ROWS[scores.argmax(axis=0)[sure]].tolist())
    centre, half = output[:2, sure].T, output[2:4, sure].T / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1).clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    by_place = [sorted(np.round(each, 1).tolist()) for each in (boxes, found.xyxy_px)]
    np.testing.assert_allclose(by_place[0], by_place[1], atol=0.11)
    assert {PERSON, CAR, BUS} & set(found.class_id.tolist())
