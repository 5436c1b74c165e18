"""YOLO networks on ONNX Runtime: the second backend, for processors without OpenVINO and for CUDA."""

from __future__ import annotations

import ast
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from vision.detection import Detections, DetectorError, Float32Array
from vision.detectors.heads import Reader, head_of
from vision.detectors.labels import Labels, names_from_text
from vision.detectors.letterbox import check_picture
from vision.detectors.settings import DetectorSettings, ModelError
from vision.detectors.tensor import to_tensor
from vision.frame import Pixels

_PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_QUIET: Final = 3  # errors only: a failure is raised, and it need not be printed as well

#: Pictures of one call on a GPU; more than this are worked on in turns.
_BATCH: Final = 16


class OnnxRuntimeDetector:
    """A YOLO network in ONNX, on the processor (`cpu`) or a GPU (`cuda`, `cuda:1`).

    Where the model leaves its batch open, the pictures of one `detect` go through it together. On the processor they
    do not: nothing is gained there, and the memory is.

    Raises:
        ModelError: the file is missing, broken, no YOLO detection model, or does not take the input size.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        if not settings.model.is_file():
            raise ModelError("model", f"{settings.model} does not exist")
        options = ort.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET
        # Threads that spin while they wait would take processor time from everything else on the machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        provider = _provider(settings.device)
        try:
            self._session = ort.InferenceSession(str(settings.model), options, providers=[provider])
        except Exception as error:
            raise ModelError(
                "model",
                f"{settings.model} cannot be read by ONNX Runtime, it is broken or no ONNX model: {_brief(error)}",
            ) from error
        inputs = self._session.get_inputs()
        self._input = inputs[0].name
        batch = _check_input(inputs, settings)
        self._batch = _BATCH if isinstance(batch, str) and settings.device != "cpu" else 1
        metadata = self._session.get_modelmeta().custom_metadata_map
        labels = Labels.from_names(names_from_text(metadata.get("names")))
        try:
            shape = self._run(np.zeros((1, 3, *settings.input_px), np.float32)).shape
        except DetectorError as error:
            height, width = settings.input_px
            made_for = _made_for(metadata.get("imgsz"))
            raise ModelError(
                "input",
                f"{settings.model.name} does not take {height}x{width}{made_for}: use the size it was exported for",
            ) from error
        self._reader = Reader(head_of(shape, labels), labels, settings.confidence, settings.overlap)

    @property
    def name(self) -> str:
        """Model, input size and backend, for records."""
        return self._settings.describe("onnxruntime")

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        """One `Detections` per picture, in order; see `vision.detection.Detector`."""
        for picture in pictures:
            check_picture(picture)
        found: list[Detections] = []
        for start in range(0, len(pictures), self._batch):
            tensor, places = to_tensor(pictures[start : start + self._batch], self._settings.input_px)
            output = self._run(tensor)
            found += [self._reader.read(one, place) for one, place in zip(output, places, strict=True)]
        return found

    def _run(self, tensor: Float32Array) -> Float32Array:
        try:
            output: Float32Array = self._session.run(None, {self._input: tensor})[0]
        except Exception as error:
            raise DetectorError(f"ONNX Runtime failed on {self._settings.model.name}: {_brief(error)}") from error
        return output


def _provider(device: str) -> str | tuple[str, dict[str, str]]:
    kind, _, number = device.lower().partition(":")
    provider = _PROVIDERS.get(kind)
    available = ort.get_available_providers()
    if provider is None or provider not in available or (number and not number.isdecimal()):
        known = ", ".join(name for name, each in _PROVIDERS.items() if each in available)
        raise ModelError("device", f"this ONNX Runtime has no device {device!r}; it has: {known}")
    return (provider, {"device_id": number}) if number else provider


def _check_input(inputs: list[Any], settings: DetectorSettings) -> int | str | None:
    """The model's batch (a name where it is open). Raises ModelError when its input is not ours."""
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, "channels") or inputs[0].type != "tensor(float)":
        raise ModelError("model", f"{settings.model} takes {inputs[0].type} {shape}, not one colour picture as float")
    for side, wanted in zip(shape[2:], settings.input_px, strict=True):
        if isinstance(side, int) and side != wanted:
            raise ModelError(
                "input",
                f"{settings.model.name} does not take {settings.input_px[0]}x{settings.input_px[1]}, it was exported for "
                f"{shape[2]}x{shape[3]}: use that size, or export it again with dynamic=True",
            )
    return shape[0]  # type: ignore[no-any-return]


def _made_for(text: str | None) -> str:
    try:
        height, width = ast.literal_eval(text or "")
    except (ValueError, SyntaxError, TypeError):
        return ""
    return f" (it was exported for {height}x{width})"


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
