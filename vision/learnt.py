"""What was learnt, in a file: a dataclass of arrays and numbers as an `.npz`, without anything that could be run."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Learnt = TypeVar("Learnt")
#: The field that holds words: what it was trained on.
_WORDS = "trained_on"


def save_learnt(learnt: Any, path: Path, half: Collection[str] = ()) -> None:
    """Write a dataclass with the field `trained_on` of words and else arrays and numbers; `half` names those that are written
    in half precision. `load_learnt` reads back what was written.
    """
    fields = {name: getattr(learnt, name) for name in learnt.__dataclass_fields__}
    for name in half:
        fields[name] = fields[name].astype(np.float16)
    fields[_WORDS] = np.array(fields[_WORDS], dtype=np.str_)
    np.savez_compressed(path, **fields)


def load_learnt(kind: type[Learnt], path: Path, what: str) -> Learnt:
    """Read it back: arrays as float32, numbers as float.

    Raises:
        ValueError: the file is missing, is no head of `what`, is damaged, or is one of another release.
    """
    names: Any = kind.__dict__["__dataclass_fields__"]
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays: dict[str, Any] = {name: held[name] for name in names}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: is no head of {what} ({type(error).__name__})") from error
    words = tuple(str(word) for word in arrays.pop(_WORDS))
    values = {name: float(a) if a.ndim == 0 else a.astype(np.float32) for name, a in arrays.items()}
    return kind(**values, **{_WORDS: words})
