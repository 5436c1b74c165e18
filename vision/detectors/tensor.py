"""Pictures as the tensor that a network without built-in preprocessing takes."""

from __future__ import annotations

import numpy as np

from vision.detection import Float32Array
from vision.detectors.letterbox import Letterbox
from vision.frame import Pixels


def to_tensor(pictures: list[Pixels], input_px: tuple[int, int]) -> tuple[Float32Array, list[Letterbox]]:
    """Pictures (H, W, 3) BGR fitted in: (N, 3, height, width) float32 RGB 0..1, and where each lies."""
    canvas = np.empty((*input_px, 3), np.uint8)
    tensor = np.empty((len(pictures), 3, *input_px), np.float32)
    places = []
    for planes, picture in zip(tensor, pictures, strict=True):
        place = Letterbox.fit((picture.shape[0], picture.shape[1]), input_px)
        place.draw(picture, canvas)
        np.multiply(canvas[:, :, ::-1].transpose(2, 0, 1), np.float32(1 / 255), out=planes)
        places.append(place)
    return tensor, places
