"""The view is judged first: from a dark, covered, frozen, turned or blurred picture nothing may be concluded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import cv2
import numpy as np

from vision import native, pose
from vision.brightness import shrunk, thumbnail
from vision.frame import Picture, Pixels, grey_of, whole
from vision.sharpness import LEAST_WIDTH_PX, sharpness

_DARK_MEAN: Final = 30.0  # grey levels (video quality diagnosis; see the domain's numbers)
_BRIGHT_MEAN: Final = 220.0
_BLANK_SPREAD: Final = 6.0
_FROZEN_AFTER_S: Final = 30.0  # an encoder may repeat a still night scene bit for bit for seconds
#: A picture this bright that is black at once was covered: night does not fall within so many seconds.
_DAY_MEAN: Final = 60.0
_AT_ONCE_S: Final = 5.0
#: Dearer looks are taken not in every picture.
_POSE_EVERY_S: Final = 2.0
_SHARPNESS_EVERY_S: Final = 2.0
_BLURRED: Final = 0.235
_SHARP_AGAIN: Final = 0.26
#: When this share of the view has lost its edges, something stands before the lens.
_COVERED_SHARE: Final = 0.5
#: What was turned or blurred must be right for so long before it is believed again.
_GOOD_AGAIN_S: Final = 3.0


class ViewState(StrEnum):
    """`usable`, or why not. `blocked` is covered or blown out: one even surface, or nothing of what was there."""

    USABLE = "usable"
    DARK = "dark"
    BLOCKED = "blocked"
    MOVED = "moved"
    FROZEN = "frozen"
    BLURRED = "blurred"


@dataclass(frozen=True, slots=True)
class View:
    """`luminance` is the mean grey level 0..255, `contrast` its standard deviation over the picture. `sharpness` as last
    measured (`vision.sharpness`), `shift`: by which share of the picture's width the view has moved; None: not known.
    """

    state: ViewState
    luminance: float
    contrast: float
    sharpness: float | None = None
    shift: float | None = None

    @property
    def usable(self) -> bool:
        return self.state is ViewState.USABLE


class ViewJudge:
    """Judges the pictures of one camera, in order."""

    def __init__(self) -> None:
        self._last: Pixels | None = None
        self._same_since_s: float | None = None
        self._bright_s: float | None = None
        self._was_covered = False
        self._learned = pose.Learned()
        self._posed_s: float | None = None
        self._pose = ViewState.USABLE
        self._shift: float | None = None
        self._sharpness: float | None = None
        self._measured_s: float | None = None
        self._blurred = False
        self._good_since_s: float | None = None

    def judge(self, picture: Picture, time_s: float, small: Pixels | None = None) -> View:
        """A frame, or (H, W, 3) BGR, or brightness (H, W), at `time_s`; `small` is their thumbnail, if there is one already."""
        grey = thumbnail(whole(picture)) if small is None else small
        mean, spread, is_same = light(grey, self._last)
        frozen_s = self._repeated_for(grey, time_s, is_same)
        state = self._light(picture, mean, spread, time_s)
        if state is ViewState.USABLE:
            state = ViewState.FROZEN if frozen_s >= _FROZEN_AFTER_S else self._place_and_focus(picture, time_s)
        return View(state, mean, spread, self._sharpness, self._shift)

    def place_anew(self) -> None:
        """The zones were drawn anew: where the camera looks from now on is right."""
        self._learned, self._posed_s = pose.Learned(), None
        self._pose, self._shift = ViewState.USABLE, None

    def _repeated_for(self, grey: Pixels, time_s: float, is_same: bool) -> float:
        # Noise of a live sensor always changes some pixel; only a repeated picture is equal everywhere.
        if not is_same:
            self._same_since_s = time_s
        self._last = grey
        return 0.0 if self._same_since_s is None else time_s - self._same_since_s

    def _light(self, picture: Picture, mean: float, spread: float, time_s: float) -> ViewState:
        """`usable`, `dark` or `blocked`, by brightness alone."""
        if mean >= _DARK_MEAN:
            self._was_covered = False
        if _DAY_MEAN <= mean <= _BRIGHT_MEAN and spread >= _BLANK_SPREAD:
            self._bright_s = time_s
        if mean < _DARK_MEAN:
            at_once = self._bright_s is not None and time_s - self._bright_s <= _AT_ONCE_S
            if at_once and spread < _BLANK_SPREAD and not self._was_covered:
                # Lamps that go out leave a faint picture of the street, a hand before the lens leaves none.
                self._was_covered = not self._learned.agrees(pose.layout(grey_of(picture)))
            return ViewState.BLOCKED if self._was_covered else ViewState.DARK
        return ViewState.BLOCKED if mean > _BRIGHT_MEAN or spread < _BLANK_SPREAD else ViewState.USABLE

    def _place_and_focus(self, picture: Picture, time_s: float) -> ViewState:
        measure = self._measured_s is None or time_s - self._measured_s >= _SHARPNESS_EVERY_S or self._blurred
        look = self._posed_s is None or time_s - self._posed_s >= _POSE_EVERY_S or self._pose is not ViewState.USABLE
        if not (measure or look):
            return self._as_last_seen()
        # Halved once for both: to what focus is measured on, which the layout halves on where it can.
        grey = shrunk(grey_of(picture), LEAST_WIDTH_PX)
        if measure:
            self._measured_s, self._sharpness = time_s, sharpness(grey)
            if self._sharpness is not None:
                self._blurred = self._sharpness < (_SHARP_AGAIN if self._blurred else _BLURRED)
        if look:
            self._look_at_pose(grey, time_s)
        return self._as_last_seen()

    def _as_last_seen(self) -> ViewState:
        return ViewState.BLURRED if self._blurred and self._pose is ViewState.USABLE else self._pose

    def _look_at_pose(self, grey: Pixels, time_s: float) -> None:
        now = pose.layout(grey)
        passed_s = 0.0 if self._posed_s is None else time_s - self._posed_s
        self._posed_s = time_s
        fit = self._learned.compare(now)
        covered = self._learned.emptied(now) >= _COVERED_SHARE
        if fit is not None and (fit.moved or fit.lost or covered):
            self._pose, self._shift = (ViewState.BLOCKED if covered else ViewState.MOVED), fit.shift
            self._good_since_s = None
            return
        if self._pose is not ViewState.USABLE:
            self._good_since_s = time_s if self._good_since_s is None else self._good_since_s
            if time_s - self._good_since_s < _GOOD_AGAIN_S:
                return
            self._pose = ViewState.USABLE
        self._shift = None if fit is None else fit.shift
        if self._blurred:
            return  # edges that are not there must not be learned
        drift = self._learned.learn(now, passed_s)
        if drift is not None:
            self._pose, self._shift = ViewState.MOVED, drift.shift

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON values; some 40 kB, of which the learned layout is nearly all."""
        return {
            "same_since_s": self._same_since_s,
            "bright_s": self._bright_s,
            "was_covered": self._was_covered,
            "learned": self._learned.snapshot(),
            "posed_s": self._posed_s,
            "pose": self._pose.value,
            "shift": self._shift,
            "sharpness": self._sharpness,
            "measured_s": self._measured_s,
            "blurred": self._blurred,
            "good_since_s": self._good_since_s,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """From a snapshot; an earlier version's, or an empty one, is a beginning."""
        self._same_since_s = state.get("same_since_s")
        if "learned" not in state:
            return
        self._bright_s, self._was_covered = state["bright_s"], state["was_covered"]
        self._learned.restore(state["learned"])
        self._posed_s, self._pose, self._shift = state["posed_s"], ViewState(state["pose"]), state["shift"]
        self._sharpness, self._measured_s = state["sharpness"], state["measured_s"]
        self._blurred, self._good_since_s = state["blurred"], state["good_since_s"]


def light(grey: Pixels, before: Pixels | None) -> tuple[float, float, bool]:
    """Of a thumbnail (h, w): its mean, its standard deviation, and whether it is the same as the one `before`."""
    if native.view is not None:
        return native.view.light(grey, before)
    means, spreads = cv2.meanStdDev(grey)
    return float(means[0, 0]), float(spreads[0, 0]), before is not None and np.array_equal(before, grey)
