"""As in `vision.motion`."""

import numpy as np
import numpy.typing as npt

def update(
    blocks: npt.NDArray[np.uint8],
    background: npt.NDArray[np.float32],
    noise: npt.NDArray[np.float32],
    changed: npt.NDArray[np.bool_],
    shared: float,
    pace: float,
    least_noise: float,
    most_noise: float,
    noise_factor: float,
    whole_share: float,
    white: float,
) -> tuple[float, float]: ...
def looked(
    background: npt.NDArray[np.float32], blocks: npt.NDArray[np.uint8], changed: npt.NDArray[np.bool_]
) -> None: ...
