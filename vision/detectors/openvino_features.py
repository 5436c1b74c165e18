"""A describer of small pictures on OpenVINO: see `models/features.py` for what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov

from vision.detection import DetectorError, Float32Array
from vision.frame import Pixels


class OpenVinoFeatures:
    """What the network says of pictures. `model` takes (N, height, width, 3) uint8 and gives (N, D).

    Single precision: in eight bits every machine would say something a little different.

    Raises:
        ValueError: the file is missing, broken, or no describer.
    """

    def __init__(self, model: Path, size_px: int, batch: int = 2, threads: int = 1) -> None:
        self._shape = (batch, size_px, size_px, 3)
        core = ov.Core()
        try:
            network = core.read_model(model)
            if network.input().get_element_type() != ov.Type.u8 or len(network.output().get_partial_shape()) != 2:
                raise ValueError(f"{model}: describes no pictures; it is not what `gatewatch models build` makes")
            network.reshape(list(self._shape))
            compiled = core.compile_model(
                network,
                "CPU",
                {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"},
            )
        except RuntimeError as error:
            raise ValueError(
                f"{model}: OpenVINO cannot read it: {str(error).strip().splitlines()[-1][:200]}"
            ) from error
        self._request = compiled.create_infer_request()
        #: D: how many numbers it says of a picture.
        self.numbers = int(compiled.output().get_shape()[1])

    def read(self, pictures: Pixels) -> Float32Array:
        """(N, size, size, 3) uint8 -> (N, D) float32; N is the batch given at construction.

        Raises:
            ValueError: pictures of another shape.
            DetectorError: the network failed.
        """
        if pictures.shape != self._shape:
            raise ValueError(f"pictures: expected {self._shape}, got {pictures.shape}")
        try:
            self._request.infer([np.ascontiguousarray(pictures)])
        except RuntimeError as error:
            raise DetectorError(f"OpenVINO failed on the describer of pictures: {error}") from error
        return np.array(self._request.get_output_tensor(0).data, np.float32)
