"""What every detector backend is told when it is made, and how it says that it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

#: The coarsest grid of a YOLO head: both sides of the input must be a multiple of it.
STRIDE_PX: Final = 32


class ModelError(ValueError):
    """A model cannot be used as asked. `key` names the setting at fault: `model`, `input`, `device` or `backend`."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """`model` is a file; `input_px` is (height, width) of what the network sees, multiples of 32.

    `confidence` (0..1) is the lowest that is kept. `overlap` is the IoU above which the weaker of two boxes of one kind
    is dropped. `threads` is how many processor cores inference may use. In `throughput` mode each core works on a
    picture of its own (least processor time per picture), in `latency` mode all cores work on one (least waiting).
    `device` is `cpu` or what the backend calls another one (`cuda:0`, `gpu`). `label` names the model in records; left
    out it is the file's name.

    Raises:
        ModelError: a side of `input_px` is no multiple of 32, or a number is out of range.
    """

    model: Path
    input_px: tuple[int, int] = (384, 512)
    confidence: float = 0.25
    overlap: float = 0.6
    device: str = "cpu"
    mode: Literal["throughput", "latency"] = "throughput"
    threads: int = 1
    label: str | None = None

    def __post_init__(self) -> None:
        height, width = self.input_px
        if min(height, width) < STRIDE_PX or height % STRIDE_PX or width % STRIDE_PX:
            below, beside = (max(STRIDE_PX, round(side / STRIDE_PX) * STRIDE_PX) for side in (height, width))
            raise ModelError(
                "input",
                f"{height}x{width} is not possible: height and width must be multiples of {STRIDE_PX}; "
                f"the nearest is [{below}, {beside}]",
            )
        if not 0 < self.confidence < 1:
            raise ModelError("confidence", f"{self.confidence} is not between 0 and 1")
        if not 0 < self.overlap <= 1:
            raise ModelError("overlap", f"{self.overlap} is not between 0 and 1")
        if self.threads < 1:
            raise ModelError("threads", f"{self.threads} is less than 1")

    def describe(self, backend: str) -> str:
        """For records: `yolov8n-int8 384x512 openvino`."""
        return f"{self.label or self.model.name} {self.input_px[0]}x{self.input_px[1]} {backend}"
