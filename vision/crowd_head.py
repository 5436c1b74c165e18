"""What was learnt about heads in a crowd: from what a detector's layers say of a spot to people per cell, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from vision.detection import Float32Array

#: Nothing larger than this is a head more, in one cell of 8 px: it bounds what an odd picture can do.
_MOST: Final = 1.5


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
        """(H, W, C) -> (H, W): how many heads there are in each cell."""
        flat = (maps.reshape(-1, maps.shape[2]) - self.mean) / self.scale
        hidden = np.maximum(flat @ self.inner + self.inner_shift, 0)
        found = np.exp(np.minimum(hidden @ self.outer + np.float32(self.outer_shift), np.float32(np.log(_MOST))))
        return np.asarray(found.reshape(maps.shape[:2]), np.float32)

    def save(self, path: Path) -> None:
        """Write it; `load` reads it back."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["trained_on"] = np.array(self.trained_on, dtype=np.str_)
        np.savez_compressed(path, **fields)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: ValueError: the file is missing, is no such head, or is one of another release."""
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays: dict[str, Any] = {name: held[name] for name in cls.__dataclass_fields__}
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path}: is no head of the crowd's count ({type(error).__name__})") from error
        trained_on = tuple(str(name) for name in arrays.pop("trained_on"))
        values: dict[str, Any] = {name: float(a) if a.ndim == 0 else a.astype(np.float32) for name, a in arrays.items()}
        return cls(**values, trained_on=trained_on)
