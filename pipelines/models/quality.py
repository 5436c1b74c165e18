"""What quantisation changed, measured; a model that lost too much is not installed."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.config.model_catalogue import AgreementLimit
from pipelines.errors import GatewatchError
from vision.detectors import make_detector
from vision.detectors.agreement import Agreement, agreement
from vision.detectors.settings import DetectorSettings
from vision.frame import Pixels


class ModelRefused(GatewatchError):
    """The built model does not see what its reference sees. Nothing was installed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Agreement at one input size (height, width)."""

    input_px: tuple[int, int]
    boxes: Agreement

    def as_json(self) -> dict[str, Any]:
        numbers = asdict(self.boxes) | {"kept": round(self.boxes.kept, 4), "f1": round(self.boxes.f1, 4)}
        return {"input": list(self.input_px), **numbers}

    def __str__(self) -> str:
        return (
            f"{self.input_px[0]}x{self.input_px[1]}: {self.boxes.shared} of {self.boxes.reference} boxes kept "
            f"({self.boxes.kept:.1%}), {self.boxes.other - self.boxes.shared} added, F1 {self.boxes.f1:.3f}"
        )


def compare(reference: Path, other: Path, pictures: list[Pixels], limit: AgreementLimit) -> list[Measured]:
    """Both models on OpenVINO over the same pictures, at each input size of `limit`."""
    measured = []
    for size in limit.inputs:
        found = []
        for model in (reference, other):
            threads = len(os.sched_getaffinity(0))
            settings = DetectorSettings(model, size, limit.confidence, threads=threads)
            found.append(make_detector("openvino", settings).detect(pictures))
        measured.append(Measured(size, agreement(zip(*found, strict=True), limit.iou)))
    return measured


def refuse_unless_good(name: str, measured: list[Measured], limit: AgreementLimit) -> None:
    """Raises ModelRefused when at any size fewer boxes were kept than the catalogue demands, or there were none."""
    for one in measured:
        if one.boxes.reference == 0:
            raise ModelRefused(
                f"{name}: the reference model sees nothing in the sample at {one}: is it the right video?"
            )
        if one.boxes.kept < limit.least:
            raise ModelRefused(
                f"{name} is refused: at {one}, and at least {limit.least:.0%} are demanded. Nothing was installed; "
                "change `quantisation` in the catalogue, or use the FP32 model"
            )
