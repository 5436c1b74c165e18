"""The first layers of a YOLOv8 network on OpenVINO, as a describer of small pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from openvino.preprocess import PrePostProcessor

from vision.detection import DetectorError, Float32Array
from vision.frame import Pixels

#: Stages of the YOLOv8 backbone whose maps are read: strides 8, 16 and 32 (64, 128 and 256 channels in the nano model).
STAGES: Final = (4, 6, 9)


class OpenVinoFeatures:
    """Mean and maximum over the picture of each channel of three stages of the backbone.

    `model` is the FP32 ONNX file of a YOLOv8 detector; only what leads to the last stage is compiled.

    Raises:
        ValueError: the file is missing, broken, or no network of that family.
    """

    def __init__(self, model: Path, size_px: int, batch: int = 2, threads: int = 1) -> None:
        self._shape = (batch, size_px, size_px, 3)
        core = ov.Core()
        try:
            whole = core.read_model(model)
            whole.reshape([batch, 3, size_px, size_px])
            pooled = []
            for stage in STAGES:
                found = [op for op in whole.get_ops() if op.get_friendly_name() == f"/model.{stage}/cv2/act/Mul"]
                if not found:
                    raise ValueError(f"{model}: has no stage {stage}; it is not a YOLOv8 network in FP32")
                axes = ops.constant(np.array([2, 3], np.int64))
                pooled += [ops.reduce_mean(found[0].output(0), axes), ops.reduce_max(found[0].output(0), axes)]
            cut = ov.Model([ops.concat([node.output(0) for node in pooled], 1)], whole.get_parameters(), "features")
            steps = PrePostProcessor(cut)
            picture = steps.input()
            picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
            picture.preprocess().convert_element_type(ov.Type.f32).scale(255.0)
            picture.model().set_layout(ov.Layout("NCHW"))
            compiled = core.compile_model(
                steps.build(),
                "CPU",
                {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"},
            )
        except RuntimeError as error:
            raise ValueError(
                f"{model}: OpenVINO cannot read it: {str(error).strip().splitlines()[-1][:200]}"
            ) from error
        self._request = compiled.create_infer_request()

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
            raise DetectorError(f"OpenVINO failed on the backbone: {error}") from error
        return np.array(self._request.get_output_tensor(0).data, np.float32)
