"""Any weights that Ultralytics reads, on a GPU or the processor: for sites with a GPU, and for weights of one's own."""

from __future__ import annotations

from typing import Any

import torch
from ultralytics.nn.autobackend import AutoBackend

from vision.detection import Detections, DetectorError
from vision.detectors.heads import Reader, head_of
from vision.detectors.labels import Labels
from vision.detectors.letterbox import check_picture
from vision.detectors.settings import DetectorSettings, ModelError
from vision.detectors.tensor import to_tensor
from vision.frame import Pixels


class UltralyticsDetector:
    """Ultralytics' own loader around its formats (`.pt`, TensorRT `.engine`, TorchScript, ...), pictures in batches.

    Only the network is Ultralytics': fitting pictures in and reading the head are those of the other backends, so that
    a change of backend changes no rule.

    Raises:
        ModelError: the file is missing, broken, no YOLO detection model, or the device is not there.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        if not settings.model.exists():
            raise ModelError("model", f"{settings.model} does not exist")
        try:
            self._device = torch.device(settings.device)
            torch.empty(1, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError("device", f"torch has no device {settings.device!r} here: {_brief(error)}") from error
        if self._device.type == "cpu":
            torch.set_num_threads(settings.threads)
        try:
            self._network: Any = AutoBackend(
                model=str(settings.model), device=self._device, fp16=self._device.type == "cuda", verbose=False
            ).eval()
        except Exception as error:
            raise ModelError("model", f"{settings.model} cannot be read by Ultralytics: {_brief(error)}") from error
        labels = Labels.from_names({int(number): str(name) for number, name in self._network.names.items()})
        try:
            shape = tuple(self._run(torch.zeros((1, 3, *settings.input_px))).shape)
        except DetectorError as error:
            size = f"{settings.input_px[0]}x{settings.input_px[1]}"
            raise ModelError("input", f"{settings.model.name} does not take {size}: {error}") from error
        self._reader = Reader(head_of(shape, labels), labels, settings.confidence, settings.overlap)

    @property
    def name(self) -> str:
        """Model, input size and backend, for records."""
        return self._settings.describe(f"ultralytics {self._device}")

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        """One `Detections` per picture, in order, all in one batch; see `vision.detection.Detector`."""
        for picture in pictures:
            check_picture(picture)
        if not pictures:
            return []
        tensor, places = to_tensor(pictures, self._settings.input_px)
        output = self._run(torch.from_numpy(tensor))
        if len(output) != len(places):
            raise DetectorError(f"{self._settings.model.name} gave {len(output)} results for {len(places)} pictures")
        return [self._reader.read(one, place) for one, place in zip(output, places, strict=True)]

    def _run(self, tensor: Any) -> Any:
        half = getattr(self._network, "fp16", False)
        try:
            with torch.inference_mode():
                moved = tensor.to(self._device)
                output = self._network(moved.half() if half else moved)
                first = output[0] if isinstance(output, list | tuple) else output
                return first.float().cpu().numpy()
        except Exception as error:
            raise DetectorError(f"Ultralytics failed on {self._settings.model.name}: {_brief(error)}") from error


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
