"""What the outputs of YOLO heads mean, on tensors made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vision.coco import BICYCLE, BUS, CAR, MOTORCYCLE, PERSON, TRUCK
from vision.detection import DetectorError
from vision.detectors.heads import Head, Reader, head_of
from vision.detectors.labels import Labels, names_from_text
from vision.detectors.letterbox import Letterbox
from vision.detectors.settings import DetectorSettings, ModelError

COCO = Labels.from_names(None)
SAME = Letterbox.fit((384, 512), (384, 512))


def anchor_free(*boxes: tuple[float, float, float, float, dict[int, float]], anchors: int = 40) -> np.ndarray:
    """(84, anchors): centre x, centre y, width, height, {class: score}."""
    output = np.zeros((84, anchors), np.float32)
    for column, (x, y, w, h, scores) in enumerate(boxes):
        output[:4, column] = x, y, w, h
        for class_id, score in scores.items():
            output[4 + class_id, column] = score
    return output


def read(output: np.ndarray, head: Head = Head.ANCHOR_FREE, labels: Labels = COCO, overlap: float = 0.6):
    return Reader(head, labels, 0.25, overlap).read(output, SAME)


def test_centre_and_size_become_corners_and_the_best_class_wins() -> None:
    found = read(anchor_free((100, 50, 20, 40, {PERSON: 0.9, CAR: 0.3}), (300, 200, 80, 60, {TRUCK: 0.5})))
    assert found.class_id.tolist() == [PERSON, TRUCK]
    np.testing.assert_allclose(found.xyxy_px, [[90, 30, 110, 70], [260, 170, 340, 230]])
    np.testing.assert_allclose(found.confidence, [0.9, 0.5])
    assert (found.xyxy_px.dtype, found.confidence.dtype, found.class_id.dtype) == (np.float32, np.float32, np.int64)


def test_weak_boxes_and_other_classes_are_not_kept() -> None:
    bird, dog = 14, 16
    found = read(anchor_free((100, 50, 20, 40, {PERSON: 0.24}), (200, 50, 20, 40, {bird: 0.9, dog: 0.8})))
    assert len(found) == 0


def test_an_empty_output_is_an_empty_scene() -> None:
    assert len(read(anchor_free())) == 0
    assert len(read(np.zeros((300, 6), np.float32), Head.END_TO_END)) == 0


def test_of_overlapping_boxes_of_one_kind_the_strongest_stays() -> None:
    found = read(
        anchor_free(
            (100, 100, 40, 80, {PERSON: 0.6}),
            (102, 100, 40, 80, {PERSON: 0.8}),
            (130, 100, 40, 80, {PERSON: 0.5}),
        )
    )
    assert sorted(found.confidence.tolist()) == pytest.approx([0.5, 0.8])


@pytest.mark.parametrize(("one", "other"), [(CAR, TRUCK), (CAR, BUS), (BICYCLE, MOTORCYCLE)])
def test_one_vehicle_is_not_seen_as_two_kinds(one: int, other: int) -> None:
    found = read(anchor_free((100, 100, 90, 60, {one: 0.6}), (101, 100, 90, 60, {other: 0.5})))
    assert found.class_id.tolist() == [one]


def test_a_person_on_a_motorcycle_stays_beside_it() -> None:
    found = read(anchor_free((100, 100, 40, 80, {PERSON: 0.6}), (100, 101, 41, 80, {MOTORCYCLE: 0.7})))
    assert sorted(found.class_id.tolist()) == [PERSON, MOTORCYCLE]


def test_kinds_are_kept_apart_even_where_boxes_reach_over_the_edge() -> None:
    found = read(
        anchor_free((510, 380, 60, 60, {PERSON: 0.6}), (510, 380, 60, 60, {CAR: 0.7}), (2, 2, 60, 60, {CAR: 0.5}))
    )
    assert len(found) == 3
    assert found.xyxy_px.min() >= 0
    assert found.xyxy_px[:, 2].max() <= 512
    assert found.xyxy_px[:, 3].max() <= 384


def test_there_is_no_cap_on_a_crowd() -> None:
    crowd = [(4.0 + 12 * (n % 40), 10.0 + 30 * (n // 40), 8.0, 20.0, {PERSON: 0.5}) for n in range(400)]
    assert len(read(anchor_free(*crowd, anchors=500))) == 400


def test_end_to_end_rows_are_corners_score_and_class() -> None:
    output = np.zeros((300, 6), np.float32)
    output[0] = 10, 20, 30, 60, 0.9, PERSON
    output[1] = 100, 100, 200, 180, 0.7, CAR
    output[2] = 102, 100, 200, 180, 0.6, TRUCK  # the same vehicle under another name
    output[3] = 300, 100, 320, 180, 0.8, 14  # a bird
    output[4] = 300, 200, 320, 280, 0.1, PERSON
    found = read(output, Head.END_TO_END)
    assert found.class_id.tolist() == [PERSON, CAR]
    np.testing.assert_allclose(found.xyxy_px[0], [10, 20, 30, 60])


def test_boxes_of_no_size_are_dropped() -> None:
    assert len(read(anchor_free((100, 100, 0, 40, {PERSON: 0.9}), (-50, 100, 20, 40, {PERSON: 0.9})))) == 0


@pytest.mark.parametrize("place", [(0, 0), (4, 0), (9, 3)])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_are_none_are_a_failure_and_no_empty_scene(place: tuple[int, int], number: float) -> None:
    output = anchor_free((100, 50, 20, 40, {PERSON: 0.9}))
    output[place] = number
    with pytest.raises(DetectorError, match="not finite"):
        read(output)


def test_a_head_is_known_by_its_shape() -> None:
    assert head_of((1, 84, 4032), COCO) is Head.ANCHOR_FREE
    assert head_of((1, 300, 6), COCO) is Head.END_TO_END
    two = Labels.from_names({0: "person", 1: "car"})
    assert head_of((1, 6, 4032), two) is Head.ANCHOR_FREE
    assert head_of((1, 300, 6), two) is Head.END_TO_END


@pytest.mark.parametrize("shape", [(1, 56, 4032), (1, 1000), (1, 84), (1, 116, 4032), (1, 32, 96, 128)])
def test_other_networks_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="no YOLO detection head"):
        head_of(shape, COCO)


def test_own_classes_are_found_by_name() -> None:
    labels = Labels.from_names({0: "Car", 1: "helmet", 2: " person ", 3: "truck"})
    output = np.zeros((8, 10), np.float32)
    output[:4, 0] = 100, 100, 20, 40
    output[4 + 2, 0] = 0.8
    output[:4, 1] = 200, 100, 20, 40
    output[4 + 1, 1] = 0.9
    assert read(output, labels=labels).class_id.tolist() == [PERSON]
    rows = np.array([[0, 0, 9, 9, 0.9, 3], [20, 20, 29, 29, 0.9, 1], [20, 20, 29, 29, 0.9, 0]], np.float32)
    assert sorted(read(rows, Head.END_TO_END, labels).class_id.tolist()) == [CAR, TRUCK]


def test_a_model_without_any_class_of_ours_is_refused() -> None:
    with pytest.raises(ModelError, match="helmet"):
        Labels.from_names({0: "helmet", 1: "vest"})


def test_eighty_numbered_classes_are_coco() -> None:
    assert Labels.from_names({n: str(n) for n in range(80)}).coco.tolist() == COCO.coco.tolist()
    with pytest.raises(ModelError):
        Labels.from_names({n: str(n) for n in range(20)})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'person', 1: 'car'}", {0: "person", 1: "car"}),
        ("['person', 'car']", {0: "person", 1: "car"}),
        ("", None),
        (None, None),
        ("{0: 'person'", None),
        ("{'a': 1}", None),
        ("__import__('os')", None),
        ("[]", None),
    ],
)
def test_names_are_read_as_ultralytics_writes_them(text: str | None, names: dict[int, str] | None) -> None:
    assert names_from_text(text) == names


@pytest.mark.parametrize("input_px", [(380, 512), (384, 500), (0, 32), (-32, 32)])
def test_input_sizes_are_multiples_of_32(input_px: tuple[int, int], tmp_path) -> None:
    with pytest.raises(ModelError, match="multiples of 32") as caught:
        DetectorSettings(tmp_path, input_px)
    assert caught.value.key == "input"


def test_the_nearest_possible_input_size_is_named(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"\[384, 512\]"):
        DetectorSettings(tmp_path, (380, 500))
