"""Every backend on tiny networks made here: what is seen, and what is said when a model cannot be used."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipelines.config.schema import Config
from pipelines.detector import load_detector
from pipelines.errors import BadInput
from vision.coco import CAR, NAMES, PERSON, TRUCK
from vision.detection import DetectorError
from vision.detectors import BACKENDS, make_detector
from vision.detectors.recorded import RecordedDetector
from vision.detectors.settings import DetectorSettings, ModelError

PICTURE = np.full((128, 192, 3), 90, np.uint8)
Maker = Callable[..., Path]


def network(
    path: Path, answer: np.ndarray, size: tuple[object, object], names: str | None, fail_above: float | None
) -> Path:
    """A network that takes pictures and always answers `answer`, whatever it sees."""
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *size])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, list(answer.shape))
    nothing = numpy_helper.from_array(np.zeros(1, np.float32), "nothing")
    constant = numpy_helper.from_array(answer.astype(np.float32), "answer")
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["answer", "zero"], ["output0"]),
    ]
    if fail_above is not None:  # the logarithm of a negative number is none
        limit = numpy_helper.from_array(np.array([fail_above], np.float32), "limit")
        nodes[1:2] = [
            helper.make_node("Sub", ["limit", "mean"], ["room"]),
            helper.make_node("Log", ["room"], ["log"]),
            helper.make_node("Mul", ["log", "nothing"], ["zero"]),
        ]
        initializers = [nothing, constant, limit]
    else:
        initializers = [nothing, constant]
    graph = helper.make_graph(nodes, "tiny", [picture], [output], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if names:
        helper.set_model_props(model, {"names": names})
    onnx.save(model, path)
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Maker:
    def make(
        answer: np.ndarray | None = None,
        size: tuple[object, object] = ("height", "width"),
        names: str | None = None,
        fail_above: float | None = None,
    ) -> Path:
        if answer is None:
            answer = np.zeros((1, 84, 20), np.float32)
            answer[0, :4, 0] = 96, 64, 20, 40
            answer[0, 4 + PERSON, 0] = 0.9
        return network(tmp_path / "tiny.onnx", answer, size, names, fail_above)

    return make


def any_number(path: Path) -> Path:
    """The network as one that takes any number of pictures and answers each the same."""
    model = onnx.load(path)
    graph = model.graph
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    graph.initializer.append(numpy_helper.from_array(np.array([2], np.int64), "last"))
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["colours"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["colours"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "last"], ["zero"]),
        helper.make_node("Add", ["answer", "zero"], ["output0"]),
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)
    return path


def settings(model: Path, **keys: object) -> DetectorSettings:
    return DetectorSettings(model, **({"input_px": (128, 192)} | keys))


BOTH = pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])


@BOTH
def test_a_box_comes_back_in_the_pixels_of_its_picture(backend: str, tiny: Maker) -> None:
    detector = make_detector(backend, settings(tiny(), label="tiny"))
    same, double = detector.detect([PICTURE, np.full((256, 384, 3), 90, np.uint8)])
    np.testing.assert_allclose(same.xyxy_px, [[86, 44, 106, 84]], atol=0.01)
    np.testing.assert_allclose(double.xyxy_px, [[172, 88, 212, 168]], atol=0.01)
    assert same.class_id.tolist() == [PERSON]
    assert detector.name == f"tiny 128x192 {backend}"


@BOTH
@pytest.mark.parametrize("mode", ["throughput", "latency"])
def test_many_pictures_keep_their_order(backend: str, mode: str, tiny: Maker) -> None:
    detector = make_detector(backend, settings(tiny(), mode=mode, threads=2))
    pictures = [np.full((64 * n, 96 * n, 3), 90, np.uint8) for n in range(1, 8)]
    widths = [float(d.xyxy_px[0, 2] - d.xyxy_px[0, 0]) for d in detector.detect(pictures)]
    assert widths == pytest.approx([10 * n for n in range(1, 8)], abs=0.01)
    assert detector.detect([]) == []


def test_onnx_runtime_in_batches_as_on_a_gpu_gives_the_same(tiny: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another device than the processor several pictures go in together; the code is the same, so it is run here."""
    detector = make_detector("onnxruntime", settings(any_number(tiny())))
    pictures = [np.full((64 * n, 96 * n, 3), 90, np.uint8) for n in range(1, 8)]
    single = detector.detect(pictures)
    monkeypatch.setattr(detector, "_batch", 3)
    for one, other in zip(single, detector.detect(pictures), strict=True):
        np.testing.assert_allclose(one.xyxy_px, other.xyxy_px)
        assert one.class_id.tolist() == other.class_id.tolist()


@BOTH
def test_an_end_to_end_head_is_understood(backend: str, tiny: Maker) -> None:
    answer = np.zeros((1, 300, 6), np.float32)
    answer[0, 0] = 10, 20, 50, 60, 0.8, 1
    answer[0, 1] = 100, 20, 150, 60, 0.7, 0
    detector = make_detector(backend, settings(tiny(answer, names="{0: 'truck', 1: 'person'}")))
    found = detector.detect([PICTURE])[0]
    assert found.class_id.tolist() == [PERSON, TRUCK]
    np.testing.assert_allclose(found.xyxy_px[0], [10, 20, 50, 60], atol=0.01)


@BOTH
def test_the_names_in_the_file_decide_what_a_class_is(backend: str, tiny: Maker) -> None:
    answer = np.zeros((1, 7, 20), np.float32)
    answer[0, :4, 0] = 96, 64, 20, 40
    answer[0, 4 + 2, 0] = 0.9
    detector = make_detector(backend, settings(tiny(answer, names="{0: 'person', 1: 'tree', 2: 'car'}")))
    assert detector.detect([PICTURE])[0].class_id.tolist() == [CAR]


@BOTH
def test_numbers_that_are_none_raise_and_the_next_picture_works_again(backend: str, tiny: Maker) -> None:
    detector = make_detector(backend, settings(tiny(fail_above=0.5), threads=2))
    bright = np.full((128, 192, 3), 255, np.uint8)
    with pytest.raises(DetectorError, match="not finite"):
        detector.detect([PICTURE, bright, PICTURE, PICTURE])
    assert [len(found) for found in detector.detect([PICTURE, PICTURE, PICTURE])] == [1, 1, 1]


@BOTH
def test_what_is_no_picture_is_refused(backend: str, tiny: Maker) -> None:
    with pytest.raises(ValueError, match="expected"):
        make_detector(backend, settings(tiny())).detect([np.zeros((128, 192), np.uint8)])


@BOTH
@pytest.mark.parametrize(
    ("content", "said"), [(b"", "cannot be read"), (b"not a model at all", "cannot be read"), (None, "does not exist")]
)
def test_a_broken_or_missing_file_is_said_so(backend: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        make_detector(backend, settings(path))
    assert caught.value.key == "model"
    assert str(path) in str(caught.value)


@BOTH
def test_half_a_model_is_said_so(backend: str, tiny: Maker) -> None:
    path = tiny()
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ModelError, match="cannot be read"):
        make_detector(backend, settings(path))


@BOTH
def test_a_model_for_another_size_is_refused_with_its_size(backend: str, tiny: Maker) -> None:
    with pytest.raises(ModelError, match="exported for 64x64") as caught:
        make_detector(backend, settings(tiny(size=(64, 64))))
    assert caught.value.key == "input"


@BOTH
def test_a_network_that_is_no_detector_is_refused(backend: str, tiny: Maker) -> None:
    with pytest.raises(ModelError, match="no YOLO detection head"):
        make_detector(backend, settings(tiny(np.zeros((1, 56, 20), np.float32))))


@BOTH
def test_an_unknown_device_names_those_there_are(backend: str, tiny: Maker) -> None:
    with pytest.raises(ModelError, match=r"it has: .*cpu") as caught:
        make_detector(backend, settings(tiny(), device="abacus"))
    assert caught.value.key == "device"


def test_an_ir_without_its_weights_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("<net/>")
    with pytest.raises(ModelError, match=r"model\.bin"):
        make_detector("openvino", settings(tmp_path / "model.xml"))


def test_an_unknown_backend_names_the_known(tiny: Maker) -> None:
    with pytest.raises(ModelError, match=", ".join(BACKENDS)):
        make_detector("darknet", settings(tiny()))


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
def test_a_backend_that_is_not_installed_says_what_to_install(tiny: Maker) -> None:
    with pytest.raises(ModelError, match=r"pip install 'gatewatch\[models\]'") as caught:
        make_detector("ultralytics", settings(tiny()))
    assert caught.value.key == "backend"


def test_loading_prints_nothing(tiny: Maker, capfd: pytest.CaptureFixture[str]) -> None:
    for backend in ("openvino", "onnxruntime"):
        make_detector(backend, settings(tiny())).detect([PICTURE])
    assert capfd.readouterr() == ("", "")


def config(**detector: object) -> Config:
    return Config.model_validate({"detector": detector})


def test_a_path_in_the_configuration_is_loaded(tiny: Maker) -> None:
    detector = load_detector(config(model=str(tiny()), input=[128, 192]))
    assert detector.name == "tiny 128x192 openvino"
    assert len(detector.detect([PICTURE])[0]) == 1


def test_faults_name_the_key_and_what_to_do(tiny: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWATCH_HOME", str(tmp_path))
    with pytest.raises(BadInput, match=r"detector\.model: yolov8n-int8 .* `gatewatch models build`"):
        load_detector(Config(data=tmp_path / "site"))
    with pytest.raises(BadInput, match=r"detector\.model: .*nowhere.onnx does not exist"):
        load_detector(config(model=str(tmp_path / "nowhere.onnx")))
    with pytest.raises(BadInput, match=r"detector\.device: "):
        load_detector(config(model=str(tiny()), device="abacus"))


def test_an_installed_model_whose_file_is_gone_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWATCH_HOME", str(tmp_path))
    folder = tmp_path / "models" / "yolov8n-int8"
    folder.mkdir(parents=True)
    record = {
        "name": "yolov8n-int8",
        "model": "model.xml",
        "licence": "x",
        "inputs_key": "x",
        "files": {"model.xml": "x"},
    }
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(BadInput, match="gatewatch models build"):
        load_detector(Config(data=tmp_path))
    (folder / "model.json").write_text("{")
    with pytest.raises(BadInput, match="gatewatch models build"):
        load_detector(Config(data=tmp_path))


def recorded(path: Path, *rows: object, confidence: float = 0.25) -> RecordedDetector:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return RecordedDetector(DetectorSettings(path, confidence=confidence))


def test_recorded_frames_answer_in_order_and_a_missing_one_fails(tmp_path: Path) -> None:
    detector = recorded(
        tmp_path / "a.jsonl",
        {"frame": 0, "boxes": [[1, 2, 30, 40, 0.9, "car"], [1, 2, 30, 40, 0.1, "person"]]},
        {"frame": 1, "boxes": []},
        "",
        {"frame": 3, "error": "out of memory"},
    )
    first, second = detector.detect([PICTURE, PICTURE])
    assert first.class_id.tolist() == [CAR]
    assert len(second) == 0
    with pytest.raises(DetectorError, match="no row for picture 2"):
        detector.detect([PICTURE])
    with pytest.raises(DetectorError, match="out of memory"):
        detector.detect([PICTURE])
    with pytest.raises(DetectorError, match="no row for picture 4"):
        detector.detect([PICTURE])


def test_recorded_times_are_found_within_their_tolerance(tmp_path: Path) -> None:
    detector = recorded(
        tmp_path / "a.jsonl", {"time_s": 10.0, "boxes": []}, {"time_s": 10.2, "boxes": [[0, 0, 9, 9, 0.5, "bus"]]}
    )
    assert len(detector.at(10.19)) == 1
    assert len(detector.at(10.02)) == 0
    with pytest.raises(DetectorError, match=r"10\.1 s"):
        detector.at(10.1)
    assert [len(found) for found in detector.detect([PICTURE, PICTURE])] == [0, 1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "Expecting"),
        ({"boxes": []}, "time_s"),
        ({"frame": 2}, "boxes"),
        ({"frame": 0, "boxes": []}, "does not grow"),
        ({"time_s": 7, "boxes": []}, "mixed"),
        ({"frame": 2, "boxes": [[1, 2, 30, 40, 0.9, "horse"]]}, "horse"),
        ({"frame": 2, "boxes": [[30, 2, 1, 40, 0.9, "car"]]}, "without area"),
        ("[1, 2]", "no row"),
    ],
)
def test_a_bad_recorded_row_names_its_line(row: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        recorded(tmp_path / "a.jsonl", {"frame": 0, "boxes": []}, row)
    assert "a.jsonl:2:" in str(caught.value)


def test_every_class_of_ours_can_be_recorded(tmp_path: Path) -> None:
    boxes = [[0, 0, 9, 9, 0.5, name] for name in NAMES.values()]
    assert recorded(tmp_path / "a.jsonl", {"frame": 0, "boxes": boxes}).detect([PICTURE])[0].class_id.tolist() == list(
        NAMES
    )
