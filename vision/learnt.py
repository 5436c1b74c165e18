"""What was learnt, in a file: a dataclass of arrays and numbers as an `.npz`, without anything that could be run."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

Learnt = TypeVar("Learnt")
#: The field that holds words: what it was trained on.
_WORDS: Final = "trained_on"
#: What numpy and zipfile raise for files that are empty, cut short, damaged or something else altogether.
_BROKEN: Final = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_learnt(learnt: Any, path: Path, half: Collection[str] = ()) -> None:
    """Write a dataclass with the field `trained_on` of words and else arrays and numbers; `half` names those that are written
    in half precision. `load_learnt` reads back what was written.
    """
    fields = {name: getattr(learnt, name) for name in learnt.__dataclass_fields__}
    for name in half:
        fields[name] = fields[name].astype(np.float16)
    fields[_WORDS] = np.array(fields[_WORDS], dtype=np.str_)
    with path.open("wb") as file:  # by its name, numpy would write another file: it adds .npz where that is missing
        np.savez_compressed(file, **fields)


def load_learnt(
    kind: type[Learnt],
    path: Path,
    what: str,
    shapes: Mapping[str, tuple[str, ...]],
    positive: Collection[str] = (),
) -> Learnt:
    """Read it back: arrays as float32, numbers as float. All of it is checked here, before anything is computed with it:
    `shapes` names the lengths of each field's axes, and the same name is the same length everywhere; nothing in the fields
    `positive` is 0 or less.

    Raises:
        ValueError: the file is missing, is no head of `what`, is damaged, is one of another release, or holds a number that
            is none.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: np.asarray(held[name]) for name in (*shapes, _WORDS)}
    except _BROKEN as error:
        raise ValueError(f"{path}: is no head of {what} ({type(error).__name__})") from error
    words = arrays.pop(_WORDS)
    if words.ndim != 1 or words.dtype.kind != "U":
        raise ValueError(f"{path}: is no head of {what} ({_WORDS} is no list of names)")
    values: dict[str, Any] = {_WORDS: tuple(str(word) for word in words)}
    lengths: dict[str, int] = {}
    for name, array in arrays.items():
        fault = _fault(array, shapes[name], lengths, name in positive)
        if fault is not None:
            raise ValueError(f"{path}: is no head of {what} ({name} {fault})")
        values[name] = float(array) if array.ndim == 0 else array.astype(np.float32)
    return kind(**values)


def _fault(array: npt.NDArray[Any], axes: tuple[str, ...], lengths: dict[str, int], positive: bool) -> str | None:
    """What is wrong with an array, if anything is. `lengths` are those of the axes seen before, and get these."""
    if array.dtype.kind not in "fiu":
        return f"holds {array.dtype}, no numbers"
    if array.ndim != len(axes) or 0 in array.shape:
        return f"has the shape {array.shape}"
    for axis, length in zip(axes, array.shape, strict=True):
        if lengths.setdefault(axis, length) != length:
            return f"has the shape {array.shape}, which does not go with the rest"
    if not np.isfinite(array).all():
        return "holds a value that is no number"
    return "holds a value that is 0 or less" if positive and not (array > 0).all() else None
