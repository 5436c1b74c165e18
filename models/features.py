"""Turns the weights of EfficientNet-Lite0 into a describer of small pictures, without torch. Run by `gatewatch models
build` with the Python that runs Gatewatch, never imported by it.

    features.py WEIGHTS.pth OUT.xml

The network is that of Tan and Le (EfficientNet, ICML 2019) in its "lite" form: no squeeze-and-excitation, ReLU6, stem and
head of fixed width. It is written down here layer by layer, with each batch normalisation folded into its convolution, up
to the last block that is read; what comes after is for naming photographs and is left out.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import openvino as ov
import openvino.opset13 as ops
from openvino.preprocess import PrePostProcessor

#: For each group of blocks: how many, kernel, stride of the first, how many times wider inside, channels out.
GROUPS = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
#: The blocks (of 0..15) whose maps are read: the last at 1/16 and the last but one group's at 1/32 of the picture.
READ = (10, 14)
#: As the weights were trained: TensorFlow's constants.
EPSILON = 1e-3
MEAN, SCALE = 127.0, 128.0

Array = npt.NDArray[Any]
#: torch's file format before 1.6: a magic number, the version, three facts on the machine, the object, the storages.
MAGIC = 0x1950A86A20F9469CFC6C
TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Tensors(pickle.Unpickler):
    """Reads names, shapes and storages, and refuses to call anything else: a pickle can hold any program."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in TYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} has no business in a file of weights")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """(key, type) of a storage, from ("storage", type, key, device, count, view)."""
        _, kind, key, *_ = pid
        return key, kind


def read_weights(path: Path) -> dict[str, Array]:
    """The tensors of a state dict, by name.

    Raises:
        ValueError: the file is no state dict in torch's format before 1.6.
    """
    with path.open("rb") as file:
        try:
            if _Tensors(file).load() != MAGIC:
                raise ValueError(f"{path}: no state dict of torch before 1.6")
            for _ in range(2):
                _Tensors(file).load()
            tensors = _Tensors(file).load()
            keys = _Tensors(file).load()
            kinds = dict(storage for storage, *_ in tensors.values())
            held = {key: _storage(file, TYPES[kinds[key]]) for key in keys}
        except (pickle.UnpicklingError, struct.error, EOFError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: no state dict of torch before 1.6 ({error})") from error
    return {name: _tensor(held[key], *view) for name, ((key, _), *view) in tensors.items()}


def _storage(file: IO[bytes], kind: np.dtype[Any]) -> Array:
    (count,) = struct.unpack("<q", file.read(8))
    return np.frombuffer(file.read(count * kind.itemsize), kind, count)


def _tensor(storage: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    reach = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if reach >= len(storage) or min((offset, *strides)) < 0:
        raise ValueError(f"a tensor of {shape} reaches beyond the {len(storage)} numbers that are there")
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()


def network(weights: dict[str, Array]) -> ov.Model:
    """(N, height, width, 3) uint8 RGB -> (N, 608) float32: of each channel of the blocks `READ`, mean over the picture, then
    of each the maximum.
    """

    def convolution(x: Any, name: str, norm: str, stride: int = 1, *, bend: bool = True) -> Any:
        kernel = weights[f"{name}.weight"]
        gain = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + EPSILON)
        shift = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
        kernel = kernel * gain[:, None, None, None]
        where: Any = ([stride, stride], [0, 0], [0, 0], [1, 1], "same_upper")
        if "depthwise" in name:
            y = ops.group_convolution(x, ops.constant(kernel[:, None]), *where)
        else:
            y = ops.convolution(x, ops.constant(kernel), *where)
        y = ops.add(y, ops.constant(shift.reshape(1, -1, 1, 1)))
        return ops.clamp(y, 0.0, 6.0) if bend else y

    picture = ops.parameter(ov.PartialShape([-1, 3, -1, -1]), np.float32, "picture")
    x = convolution(picture, "_conv_stem", "_bn0", 2)
    read, number = [], 0
    for count, _, stride, wider, _ in GROUPS:
        for first in (True, *[False] * (count - 1)):
            block = f"_blocks.{number}."
            y = convolution(x, block + "_expand_conv", block + "_bn0") if wider != 1 else x
            y = convolution(y, block + "_depthwise_conv", block + "_bn1", stride if first else 1)
            y = convolution(y, block + "_project_conv", block + "_bn2", bend=False)
            x = y if first else ops.add(x, y)
            if number in READ:
                axes = ops.constant(np.array([2, 3], np.int64))
                read += [ops.reduce_mean(x, axes), ops.reduce_max(x, axes)]
            number += 1
    model = ov.Model([ops.concat([node.output(0) for node in read], 1)], [picture], "efficientnet-lite0-features")
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(MEAN).scale(SCALE)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def main(arguments: list[str]) -> int:
    """Writes the model and prints the version of what wrote it, `tool name==version`."""
    if len(arguments) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    weights, out = map(Path, arguments)
    ov.save_model(network(read_weights(weights)), out, compress_to_fp16=False)
    sys.stdout.write(f"tool openvino=={version('openvino')}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
