"""What was learnt about heads in a crowd: from what a detector's layers say of a spot to people per cell, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from vision.detection import DetectorError, Float32Array
from vision.learnt import load_learnt, save_learnt

#: Nothing larger than this is a head more, in one cell of 8 px: it bounds what an odd picture can do.
_MOST: Final = 1.5
#: Of C channels, K hidden units.
_SHAPES: Final = {
    "mean": ("C",),
    "scale": ("C",),
    "inner": ("C", "K"),
    "inner_shift": ("K",),
    "outer": ("K",),
    "outer_shift": (),
    "tall_px": (),
}


@dataclass(frozen=True, slots=True, eq=False)
class CrowdHead:
    """Two layers on the standardised channels C of one cell: `inner` (C, K), `inner_shift` (K,), ReLU, `outer` (K,),
    `outer_shift`, exp. The sum over a picture is the number of people; `tall_px` is how tall a person is meant to be in it.
    """

    mean: Float32Array
    scale: Float32Array
    inner: Float32Array
    inner_shift: Float32Array
    outer: Float32Array
    outer_shift: float
    tall_px: float
    trained_on: tuple[str, ...] = ()

    def heads(self, maps: Float32Array) -> Float32Array:
        """(H, W, C) -> (H, W): how many heads there are in each cell.

        Raises:
            DetectorError: it judges another number of channels than there are.
        """
        if maps.shape[2] != len(self.mean):
            raise DetectorError(
                f"the head that counts crowds is of another release: it judges {len(self.mean)} channels, and there are "
                f"{maps.shape[2]}; train it anew with `gatewatch train crowding --out FILE`, or remove it"
            )
        flat = (maps.reshape(-1, maps.shape[2]) - self.mean) / self.scale
        hidden = np.maximum(flat @ self.inner + self.inner_shift, 0)
        found = np.exp(np.minimum(hidden @ self.outer + np.float32(self.outer_shift), np.float32(np.log(_MOST))))
        return np.asarray(found.reshape(maps.shape[:2]), np.float32)

    def save(self, path: Path) -> None:
        """Write it; `load` reads it back."""
        save_learnt(self, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: ValueError: the file is missing, is no such head, or is one of another release."""
        return load_learnt(cls, path, "the crowd's count", _SHAPES, positive=("scale", "tall_px"))
