"""One backend, one file. Each is imported only when it is asked for: none of their libraries is needed by the others."""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import Final, cast

from vision.detection import Detector
from vision.detectors.settings import DetectorSettings, ModelError

#: Backend -> (module, class, what to install when its library is missing). Explicit on purpose.
BACKENDS: Final = MappingProxyType(
    {
        "openvino": ("vision.detectors.openvino", "OpenVinoDetector", "pip install openvino"),
        "onnxruntime": ("vision.detectors.onnxruntime", "OnnxRuntimeDetector", "pip install 'gatewatch[onnx]'"),
        "ultralytics": ("vision.detectors.ultralytics", "UltralyticsDetector", "pip install 'gatewatch[models]'"),
        "recorded": ("vision.detectors.recorded", "RecordedDetector", ""),
    }
)


def make_detector(backend: str, settings: DetectorSettings) -> Detector:
    """The detector that `backend` names.

    Raises:
        ModelError: no such backend, its library is not installed, or it cannot use the model.
    """
    if backend not in BACKENDS:
        raise ModelError("backend", f"{backend!r} is unknown; known: {', '.join(BACKENDS)}")
    module, kind, install = BACKENDS[backend]
    try:
        made = getattr(importlib.import_module(module), kind)(settings)
    except ModuleNotFoundError as error:
        raise ModelError(
            "backend", f"{backend} needs the package {error.name}, which is not installed: {install}"
        ) from error
    return cast(Detector, made)
