"""Pictures of a video, spread over it: what a model is calibrated on and compared on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.errors import BadInput
from pipelines.media.file import FileSource
from vision.detectors.letterbox import Letterbox
from vision.frame import Pixels


def spread_pictures(video: Path, count: int, *, phase: float) -> list[Pixels]:
    """`count` pictures at even distances. `phase` 0..1 shifts them between two neighbours, so that two sets differ.

    Raises:
        BadInput: the video cannot be read or has fewer pictures.
    """
    total = sum(1 for _ in FileSource(str(video), "calibration"))
    if total < count:
        raise BadInput(f"{video}: has {total} pictures, {count} are needed")
    wanted = {min(total - 1, int((number + phase) * total / count)) for number in range(count)}
    return [frame.pixels for index, frame in enumerate(FileSource(str(video), "calibration")) if index in wanted]


def write_calibration(pictures: list[Pixels], inputs: list[tuple[int, int]], folder: Path) -> None:
    """One array (N, height, width, 3) per input size, fitted in exactly as the detector does it."""
    folder.mkdir(parents=True, exist_ok=True)
    each = len(pictures) // len(inputs)
    for number, size in enumerate(inputs):
        chosen = pictures[number :: len(inputs)][:each]
        array = np.empty((len(chosen), *size, 3), np.uint8)
        for canvas, picture in zip(array, chosen, strict=True):
            Letterbox.fit((picture.shape[0], picture.shape[1]), size).draw(picture, canvas)
        np.save(folder / f"{size[0]}x{size[1]}.npy", array)
