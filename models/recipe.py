"""Turns weights into models. Run by `gatewatch models build` with the Python of the build environment, never imported.

    recipe.py export   WEIGHTS.pt OUT.onnx
    recipe.py quantise IN.onnx OUT.xml PICTURES_FOLDER

Nothing here reaches for the network: the caller sets the environment (see `pipelines.models.toolchain`).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Layers that turn the head's numbers into boxes (anchors, distances, sigmoid): arithmetic on coordinates up to 640,
#: for which eight bits are too few. Its convolutions, `cv2` and `cv3`, are quantised like the rest, but not the last of each:
#: they are a hundredth of the work, and whether a person counts hangs on what they say.
BOX_ARITHMETIC = (r"^/model\.22/(?!cv[23]).*", r".*/dfl/.*", r"^/model\.22/cv([23])\.(\d)/cv\1\.\2\.2/.*")


def export(weights: Path, out: Path) -> None:
    """YOLO weights -> ONNX whose picture size is left open (multiples of 32), with the class names in its metadata."""
    from ultralytics import YOLO

    made = YOLO(str(weights)).export(format="onnx", dynamic=True, simplify=False, opset=17, imgsz=(384, 512))
    shutil.move(made, out)


def whole_silu(model: Any) -> int:
    """Make one operation of each x * sigmoid(x), in place; how many there were.

    As two, NNCF puts x and sigmoid(x) into eight bits as well as their product, and OpenVINO can no longer let the
    convolution before do all of it: a seventh of the network's time went into that.
    """
    from openvino import opset13 as ops

    found = 0
    for node in list(model.get_ops()):
        if node.get_type_name() != "Multiply":
            continue
        x, gate = node.input_value(0), node.input_value(1)
        if x.get_node().get_type_name() == "Sigmoid":
            x, gate = gate, x
        if gate.get_node().get_type_name() != "Sigmoid" or gate.get_node().input_value(0) != x:
            continue
        silu = ops.swish(x)
        silu.set_friendly_name(node.get_friendly_name())
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(silu.output(0))
        found += 1
    return found


def quantise(model: Path, out: Path, pictures: Path) -> None:
    """ONNX -> OpenVINO INT8 by NNCF post-training quantisation.

    Weights symmetric, activations asymmetric where they are not centred (`mixed`: SiLU is), bias corrected by the fast
    method: the slow one changed no figure here and takes longer. `pictures` holds arrays (N, height, width, 3) uint8
    BGR, one file per input size.
    """
    import nncf
    import numpy as np
    import openvino as ov

    arrays = [np.load(path) for path in sorted(pictures.glob("*.npy"))]

    def items() -> Iterator[Any]:
        for group in zip(*arrays, strict=True):
            yield from group

    def to_input(picture: Any) -> Any:
        return np.ascontiguousarray(picture[None, :, :, ::-1].transpose(0, 3, 1, 2)).astype(np.float32) / 255

    network = ov.Core().read_model(model)
    if not whole_silu(network):
        raise ValueError(f"{model}: no SiLU (x * sigmoid(x)) was found, which YOLOv8 has after each convolution")
    quantised = nncf.quantize(
        network,
        nncf.Dataset(list(items()), to_input),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=sum(len(array) for array in arrays),
        fast_bias_correction=True,
        ignored_scope=nncf.IgnoredScope(patterns=list(BOX_ARITHMETIC)),
    )
    ov.save_model(quantised, out, compress_to_fp16=False)


def main(arguments: list[str]) -> int:
    """Does one step and prints the version of each tool that did it, one `name==version` a line."""
    match arguments:
        case ["export", weights, out]:
            export(Path(weights), Path(out))
            tools = ("torch", "ultralytics-opencv-headless", "onnx")
        case ["quantise", model, out, pictures]:
            quantise(Path(model), Path(out), Path(pictures))
            tools = ("nncf", "openvino")
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    for tool in tools:
        sys.stdout.write(f"tool {tool}=={version(tool)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
