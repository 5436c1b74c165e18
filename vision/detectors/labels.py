"""Which of a model's classes are the COCO classes that Gatewatch speaks of."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from vision.coco import IDS, NAMES
from vision.detection import Int64Array
from vision.detectors.settings import ModelError

#: How many classes a model without names must have to be taken for one trained on COCO 2017.
COCO_CLASSES: Final = 80


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """`rows` (K,) are the model's own class numbers that are kept, `coco` (K,) their COCO numbers.

    `count` is how many classes the model has, None when it does not say.
    """

    rows: Int64Array
    coco: Int64Array
    count: int | None

    @classmethod
    def from_names(cls, names: Mapping[int, str] | None) -> Labels:
        """From the model's own names; a model without names (or with numbers for names) is taken for a COCO one.

        Raises:
            ModelError: the model knows none of the classes that Gatewatch uses.
        """
        if names is None or (len(names) == COCO_CLASSES and all(name == str(n) for n, name in names.items())):
            kept = sorted(NAMES)
            return cls(np.array(kept, np.int64), np.array(kept, np.int64), None)
        pairs = [(number, IDS[name.strip().lower()]) for number, name in names.items() if name.strip().lower() in IDS]
        if not pairs:
            known = ", ".join(sorted(set(names.values()))[:10])
            raise ModelError(
                "model", f"knows none of the classes {', '.join(IDS)}; it knows {known}: a model of traffic is needed"
            )
        pairs.sort()
        return cls(np.array([a for a, _ in pairs], np.int64), np.array([b for _, b in pairs], np.int64), len(names))

    def only(self) -> Labels:
        """The labels of the same model when it has no other classes than those that are kept, in this order."""
        return Labels(np.arange(len(self.rows)), self.coco, len(self.rows))

    def coco_of(self, numbers: Int64Array) -> Int64Array:
        """The model's class numbers (N,) -> COCO numbers (N,), -1 for classes that are not kept."""
        found = np.searchsorted(self.rows, numbers)
        found = np.minimum(found, len(self.rows) - 1)
        return np.where(self.rows[found] == numbers, self.coco[found], -1)


def names_from_text(text: str | None) -> dict[int, str] | None:
    """The `names` that Ultralytics writes into an exported model: `{0: 'person', 1: 'bicycle', ...}`.

    Returns None when there are none or they cannot be read.
    """
    if not text:
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        return None
    if not all(isinstance(key, int) and isinstance(name, str) for key, name in value.items()):
        return None
    return value
