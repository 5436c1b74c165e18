"""From the configuration's `detector:` section to a detector that is ready to work."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from pipelines.errors import BadInput
from pipelines.media.hiding import Box
from pipelines.models.installed import find_model
from pipelines.paths import model_dirs
from vision import coco
from vision.detectors import make_detector
from vision.detectors.settings import DetectorSettings, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.config.schema import Config
    from vision.detection import Detections, Detector
    from vision.track import Track

#: What a model's file may end in, when `detector.model` is no name of the catalogue.
_FILES: Final = (".xml", ".onnx", ".pt", ".engine", ".jsonl", ".torchscript")


def load_detector(config: Config) -> Detector:
    """The detector that the configuration names; loading it takes about half a second and prints nothing.

    Raises:
        BadInput: it is not on this machine, cannot be read, or does not take the input size; the message names the
            key and what to do.
    """
    wanted = config.detector
    use_one_opencv_thread()
    path, label = find(wanted.model, config.data)
    if wanted.backend == "ultralytics":
        _keep_ultralytics_quiet()
    try:
        settings = DetectorSettings(
            model=path,
            input_px=wanted.input,
            confidence=wanted.confidence,
            device=wanted.device,
            mode=wanted.mode,
            threads=wanted.threads or len(os.sched_getaffinity(0)),
            label=label,
        )
        with _no_converters():
            return make_detector(wanted.backend, settings)
    except ModelError as error:
        raise BadInput(f"detector.{error.key}: {error}") from error


@contextmanager
def _no_converters() -> Iterator[None]:
    """OpenVINO takes up what converts TensorFlow's models wherever it can be imported: 6 MB, and nothing here asks for it."""
    if "openvino" in sys.modules:
        yield
        return
    sys.modules["openvino.tools"] = None  # type: ignore[assignment]  # to import it is an ImportError, which is expected
    try:
        yield
    finally:
        del sys.modules["openvino.tools"]


def boxes_to_hide(seen: Detections) -> list[Box]:
    """What must not be made out on the picture on which this was seen: people's heads, vehicles' plates."""
    corners = np.asarray(seen.xyxy_px, float).tolist()
    return [
        Box(kind, *one) for one, of in zip(corners, seen.class_id.tolist(), strict=True) if (kind := _hidden_as(of))
    ]


def boxes_of_tracks(tracks: Sequence[Track]) -> list[Box]:
    """The same of what is followed."""
    return [Box(kind, *map(float, one.xyxy_px)) for one in tracks if (kind := _hidden_as(one.class_id))]


def _hidden_as(class_id: int) -> str:
    """Empty: it is not to be hidden."""
    if class_id == coco.PERSON:
        return "person"
    return "vehicle" if class_id in coco.VEHICLES or class_id == coco.BICYCLE else ""


def use_one_opencv_thread() -> None:
    """For this process: what OpenCV does here takes less than waking its threads does (the motion gate costs half)."""
    cv2.setNumThreads(1)


def find(model: str, data: Path) -> tuple[Path, str]:
    """The file that `detector.model` means, by path or by name, and its label. Raises BadInput when it is not there."""
    path = Path(model).expanduser()
    if path.suffix in _FILES or len(path.parts) > 1:
        if not path.is_file():
            raise BadInput(f"detector.model: {model} does not exist")
        return path, path.stem
    found, record = find_model(model, model_dirs(data))
    return found, record.name


def _keep_ultralytics_quiet() -> None:
    """Ultralytics otherwise installs packages by itself, asks the network for updates and reports its use."""
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "true")
    os.environ.setdefault("YOLO_VERBOSE", "false")
