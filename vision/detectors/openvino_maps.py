"""What the middle layers of the detector's network say of each small part of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import openvino as ov
from openvino.preprocess import ColorFormat, PrePostProcessor

from vision.detection import DetectorError, Float32Array
from vision.frame import Pixels

#: The layers of YOLOv8 that its last one reads: maps at 1/8 and 1/16 of the picture, by their names in Ultralytics' export.
LAYERS: Final = ("/model.15/cv2/act/Mul", "/model.18/cv2/act/Mul")
STRIDE_PX: Final = 8


class OpenVinoMaps:
    """`model` is a YOLOv8 network (.onnx or .xml); `input_px` (height, width) is what it sees.

    It is loaded when it is first asked (a third of a second, some 60 MB): most cameras never see a dense crowd. Single precision:
    in eight bits every machine would say something a little different.
    """

    def __init__(self, model: Path, input_px: tuple[int, int], threads: int = 1) -> None:
        self._model = model
        self._shape = (*input_px, 3)
        self._threads = threads
        self._request: Any = None

    def _load(self) -> Any:
        model, input_px, core = self._model, self._shape[:2], ov.Core()
        try:
            network = core.read_model(model)
            layers = {node.get_friendly_name(): node for node in network.get_ops()}
            missing = [name for name in LAYERS if name not in layers]
            if missing:
                raise DetectorError(f"{model}: has no layer {missing[0]}; it is no YOLOv8 network")
            cut = ov.Model([layers[name].output(0) for name in LAYERS], network.get_parameters(), "maps")
            cut.reshape([1, 3, *input_px])
            steps = PrePostProcessor(cut)
            picture = steps.input()
            picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(
                ColorFormat.BGR
            )
            picture.preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
            picture.model().set_layout(ov.Layout("NCHW"))
            compiled = core.compile_model(
                steps.build(),
                "CPU",
                {"INFERENCE_NUM_THREADS": self._threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"},
            )
        except RuntimeError as error:
            raise DetectorError(
                f"{model}: OpenVINO cannot read it: {str(error).strip().splitlines()[-1][:200]}"
            ) from error
        return compiled.create_infer_request()

    def read(self, picture: Pixels) -> Float32Array:
        """(height, width, 3) uint8 BGR -> (height / 8, width / 8, channels) float32.

        Raises:
            ValueError: a picture of another size.
            DetectorError: the network cannot be loaded, or failed.
        """
        if picture.shape != self._shape:
            raise ValueError(f"picture: expected {self._shape}, got {picture.shape}")
        self._request = self._load() if self._request is None else self._request
        try:
            self._request.infer([np.ascontiguousarray(picture[None])])
        except RuntimeError as error:
            raise DetectorError(f"OpenVINO failed on the maps of a crowd: {error}") from error
        fine, coarse = (
            np.array(self._request.get_output_tensor(i).data[0], np.float32).transpose(1, 2, 0) for i in range(2)
        )
        grown = cv2.resize(coarse, (fine.shape[1], fine.shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.concatenate([fine, np.asarray(grown, np.float32)], axis=2)
