"""The view is judged first: from a dark, covered or frozen picture nothing may be concluded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import cv2
import numpy as np

from vision.frame import Pixels
from vision.geometry import FloatArray

_SIZE: Final = (80, 60)  # width, height of the small grey picture that is judged
_THIN: Final = (320, 240)
_DARK_MEAN: Final = 30.0  # grey levels (video quality diagnosis; see the domain's numbers)
_BRIGHT_MEAN: Final = 220.0
_BLANK_SPREAD: Final = 6.0
_FROZEN_AFTER_S: Final = 30.0  # an encoder may repeat a still night scene bit for bit for seconds


class ViewState(StrEnum):
    """`usable`, or why not. `blocked` is covered or blown out: one even surface."""

    USABLE = "usable"
    DARK = "dark"
    BLOCKED = "blocked"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class View:
    """`luminance` is the mean grey level 0..255, `contrast` its standard deviation over the picture."""

    state: ViewState
    luminance: float
    contrast: float

    @property
    def usable(self) -> bool:
        return self.state is ViewState.USABLE


class ViewJudge:
    """Judges the pictures of one camera, in order."""

    def __init__(self) -> None:
        self._last: FloatArray | None = None
        self._same_since_s: float | None = None

    def judge(self, pixels: Pixels, time_s: float) -> View:
        """`pixels` (H, W, 3) at `time_s`."""
        # Some of the pixels are enough to judge a picture by, and save most of the time of averaging it.
        thin = cv2.resize(pixels, _THIN, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(thin, _SIZE, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float64)
        mean, spread = float(grey.mean()), float(grey.std())
        # Noise of a live sensor always changes some pixel; only a repeated picture is equal everywhere.
        frozen_now = (
            self._last is not None and self._last.shape == grey.shape and bool(np.array_equal(self._last, grey))
        )
        self._last = grey
        if not frozen_now:
            self._same_since_s = time_s
        since = self._same_since_s if self._same_since_s is not None else time_s
        if mean > _BRIGHT_MEAN or spread < _BLANK_SPREAD:
            state = ViewState.DARK if mean < _DARK_MEAN else ViewState.BLOCKED
        elif mean < _DARK_MEAN:
            state = ViewState.DARK
        elif time_s - since >= _FROZEN_AFTER_S:
            state = ViewState.FROZEN
        else:
            state = ViewState.USABLE
        return View(state, mean, spread)

    def snapshot(self) -> dict[str, Any]:
        return {"same_since_s": self._same_since_s}

    def restore(self, state: dict[str, Any]) -> None:
        self._same_since_s = state.get("same_since_s")
