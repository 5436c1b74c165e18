"""`models/features.py`: weights read without torch and without trust, and a network written down for OpenVINO."""

from __future__ import annotations

import importlib.util
import io
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
import pytest

from pipelines.config.model_catalogue import models_folder

PROGRAM = models_folder() / "features.py"
Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def features() -> Any:
    spec = importlib.util.spec_from_file_location("features_program", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Named:
    """Stands in for a torch class while pickling: only its name is written."""


def _global(module: str, name: str) -> Any:
    made = type(name, (_Named,), {"__module__": module, "__qualname__": name})
    return made


class _Pickler(pickle._Pickler):
    """Writes what torch wrote before 1.6: classes by name, storages as persistent ids."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        self.write(f"c{obj.__module__}\n{obj.__qualname__}\n".encode())

    dispatch = pickle._Pickler.dispatch | {type: save_global}

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, np.ndarray):
            return None
        kind = _global("torch", "FloatStorage" if obj.dtype == np.float32 else "LongStorage")
        return ("storage", kind, str(id(obj)), "cpu", obj.size, None)


class _Tensor:
    def __init__(self, storage: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.view = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> Any:
        return _global("torch._utils", "_rebuild_tensor_v2"), self.view


def written(path: Path, tensors: dict[str, _Tensor], storages: list[Array], magic: int) -> Path:
    out = io.BytesIO()
    for value in (magic, 1001, {"little_endian": True}, OrderedDict(tensors), [str(id(s)) for s in storages]):
        _Pickler(out, 2).dump(value)
    for storage in storages:
        out.write(struct.pack("<q", storage.size) + storage.tobytes())
    path.write_bytes(out.getvalue())
    return path


def test_weights_are_read_with_their_shapes_and_strides(features: Any, tmp_path: Path) -> None:
    numbers, count = np.arange(12, dtype=np.float32), np.array([7], np.int64)
    tensors = {
        "whole": _Tensor(numbers, 0, (3, 4), (4, 1)),
        "turned": _Tensor(numbers, 1, (2, 3), (1, 4)),
        "count": _Tensor(count, 0, (), ()),
    }
    read = features.read_weights(written(tmp_path / "w.pth", tensors, [numbers, count], features.MAGIC))
    assert read["whole"].tolist() == numbers.reshape(3, 4).tolist()
    assert read["turned"].tolist() == [[1, 5, 9], [2, 6, 10]]
    assert read["count"] == 7


def test_what_is_no_file_of_weights_is_refused_and_never_run(features: Any, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    numbers = np.zeros(4, np.float32)

    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (mark,)

    harmful = tmp_path / "harm.pth"
    harmful.write_bytes(pickle.dumps(Harm()))
    beyond = written(tmp_path / "beyond.pth", {"w": _Tensor(numbers, 2, (3,), (1,))}, [numbers], features.MAGIC)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(beyond.read_bytes()[:-6])
    other = written(tmp_path / "other.pth", {}, [], 42)
    for path in (harmful, beyond, cut, other):
        with pytest.raises(ValueError, match=r"state dict|reaches beyond|buffer"):
            features.read_weights(path)
    assert not mark.exists()


def made_up(features: Any) -> dict[str, Array]:
    """Random weights with the shapes of the real ones, so small that nothing saturates."""
    rng = np.random.default_rng(4)
    weights: dict[str, Array] = {}

    def layer(name: str, norm: str, out: int, each: int, kernel: int) -> None:
        weights[f"{name}.weight"] = rng.normal(0, 1 / np.sqrt(each * kernel**2), (out, each, kernel, kernel))
        weights[f"{norm}.weight"] = rng.uniform(0.5, 1.5, out)
        weights[f"{norm}.bias"], weights[f"{norm}.running_mean"] = rng.normal(0, 0.3, (2, out))
        weights[f"{norm}.running_var"] = rng.uniform(0.5, 1.5, out)

    layer("_conv_stem", "_bn0", 32, 3, 3)
    number, into = 0, 32
    for count, kernel, _, wider, out in features.GROUPS:
        for _ in range(count):
            block = f"_blocks.{number}."
            if wider != 1:
                layer(block + "_expand_conv", block + "_bn0", into * wider, into, 1)
            layer(block + "_depthwise_conv", block + "_bn1", into * wider, 1, kernel)
            layer(block + "_project_conv", block + "_bn2", out, into * wider, 1)
            number, into = number + 1, out
    return {name: value.astype(np.float32) for name, value in weights.items()}


def by_hand(features: Any, weights: dict[str, Array], picture: Array) -> Array:
    """The same network in plain numpy: convolutions as sums over shifted pictures, batch normalisation as itself."""

    def convolution(x: Array, name: str, norm: str, stride: int, bend: bool) -> Array:
        kernel = weights[f"{name}.weight"].astype(np.float64)
        size, tall = kernel.shape[-1], x.shape[1]
        out = -(-tall // stride)
        missing = max(0, (out - 1) * stride + size - tall)
        padded = np.pad(x, ((0, 0), (missing // 2, missing - missing // 2), (missing // 2, missing - missing // 2)))
        y = 0.0
        for row in range(size):
            for column in range(size):
                seen = padded[
                    :, row : row + (out - 1) * stride + 1 : stride, column : column + (out - 1) * stride + 1 : stride
                ]
                taps = kernel[:, :, row, column]
                y = y + (taps[:, :, None] * seen if "depth" in name else np.tensordot(taps, seen, 1))
        gain, bias, mean, var = (
            weights[f"{norm}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        y = (y - mean) / np.sqrt(var + 1e-3) * gain + bias
        return np.clip(y, 0, 6) if bend else y

    x = (picture.transpose(2, 0, 1).astype(np.float64) - 127) / 128
    x = convolution(x, "_conv_stem", "_bn0", 2, True)
    said, number = [], 0
    for count, _, stride, wider, _ in features.GROUPS:
        for place in range(count):
            block = f"_blocks.{number}."
            y = convolution(x, block + "_expand_conv", block + "_bn0", 1, True) if wider != 1 else x
            y = convolution(y, block + "_depthwise_conv", block + "_bn1", 1 if place else stride, True)
            y = convolution(y, block + "_project_conv", block + "_bn2", 1, False)
            x = x + y if place else y
            if number in (10, 14):
                said += [x.mean(axis=(1, 2)), x.max(axis=(1, 2))]
            number += 1
    return np.concatenate(said)


def test_the_network_is_the_one_that_it_says(features: Any) -> None:
    weights = made_up(features)
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    request = ov.Core().compile_model(features.network(weights), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    (said,) = request([picture[None]]).values()
    expected = by_hand(features, weights, picture)
    assert said.shape == (1, 608)
    assert np.abs(said[0] - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_program_says_how_it_is_called_and_what_is_wrong(tmp_path: Path) -> None:
    bare = subprocess.run([sys.executable, "-I", str(PROGRAM)], capture_output=True, text=True, check=False)
    assert bare.returncode == 2
    assert "WEIGHTS.pth OUT.xml" in bare.stderr
    (tmp_path / "w.pth").write_bytes(b"no pickle")
    argv = [sys.executable, "-I", str(PROGRAM), str(tmp_path / "w.pth"), str(tmp_path / "o.xml")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "no state dict" in done.stderr
    assert not (tmp_path / "o.xml").exists()
