"""Every window of every clip in parallel arrays: what is learnt from, and what is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines.bullying.clips import Clip, Moment
from vision.aggression import LEAST_STACKS, WINDOW_S
from vision.aggression_head import summary
from vision.detection import BoolArray, Float32Array, Int64Array
from vision.geometry import FloatArray

_LEAST_OF_CLIP: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Of N windows: `features` (N, 3 D) their summaries, `clip` the index of their clip, `time_s` their end, `region`,
    `beyond` the clip's end. Of P parts of clips, each about as long as a window: `whole` (P, 3 D), the summary of what was
    said of the place with most change at each moment, and `of_part`, the index of their clip. Of C clips: `told`, false where
    no region was found and so no part is; `is_fight`, `group`. Of M lessons, altered copies included: `lessons` (M, 3 D),
    `of_clip`, `weight`.
    """

    features: Float32Array
    clip: Int64Array
    time_s: FloatArray
    region: Int64Array
    beyond: BoolArray
    whole: Float32Array
    of_part: Int64Array
    told: BoolArray
    is_fight: BoolArray
    group: npt.NDArray[np.str_]
    lessons: Float32Array
    of_clip: Int64Array
    weight: FloatArray

    @classmethod
    def gather(cls, clips: Sequence[Clip], said: Sequence[Sequence[Moment]]) -> Windows:
        """From the stacks of each clip, as the run-time joins them to windows."""
        wide = next((3 * len(moment.said) for one in said for moment in one), 0)
        made = [_of_clip(one) for one in said]
        flat = [(index, moment, window) for index, one in enumerate(made) for moment, window in one]
        taught = [(index, lesson) for index, one in enumerate(made) for lesson in _lessons(one)]
        count = np.bincount([index for index, _ in taught], minlength=len(clips))
        parts = [(index, part) for index, one in enumerate(said) for part in _parts(one)]
        return cls(
            _rows([_summary([m.said for m in window]) for _, _, window in flat], wide),
            np.array([i for i, _, _ in flat], np.int64),
            np.array([m.time_s for _, m, _ in flat], np.float64),
            np.array([m.region_id for _, m, _ in flat], np.int64),
            np.array([m.beyond for _, m, _ in flat], bool),
            _rows([_summary(part) for _, part in parts], wide),
            np.array([i for i, _ in parts], np.int64),
            np.isin(np.arange(len(clips)), [i for i, _ in parts]),
            np.array([c.is_fight for c in clips], bool),
            np.array([c.group for c in clips], np.str_),
            _rows([lesson for _, lesson in taught], wide),
            np.array([i for i, _ in taught], np.int64),
            np.array([1.0 / count[i] for i, _ in taught], np.float64),
        )


def _parts(said: Sequence[Moment]) -> list[list[Float32Array]]:
    """What was said of the place with most change, in parts of equal length. Longer ones than the judge was taught would all
    seem wilder: spread and maximum grow with time.
    """
    seen = sorted((m for m in said if m.rank == 0 and not m.beyond), key=lambda m: m.time_s)
    if len(seen) < _LEAST_OF_CLIP:
        return []
    first_s, span_s = seen[0].time_s, seen[-1].time_s - seen[0].time_s
    count = max(1, round(span_s / WINDOW_S))
    parts: list[list[Float32Array]] = [[] for _ in range(count)]
    for moment in seen:
        parts[min(count - 1, int((moment.time_s - first_s) / (span_s + 1e-9) * count))].append(moment.said)
    return [part for part in parts if len(part) >= _LEAST_OF_CLIP]


Window = list[Moment]


def _of_clip(said: Sequence[Moment]) -> list[tuple[Moment, Window]]:
    """Each moment that ends a window, with the moments in it."""
    windows = []
    for moment in said:
        window = [
            m
            for m in said
            if m.region_id == moment.region_id and moment.time_s - WINDOW_S - 1e-6 <= m.time_s <= moment.time_s
        ]
        if len(window) >= LEAST_STACKS:
            windows.append((moment, window))
    return windows


def _lessons(windows: Sequence[tuple[Moment, Window]]) -> list[FloatArray]:
    """What a clip teaches: the last window of the region with most change, and its altered copies. Earlier ones overlap it,
    and taught nothing further.
    """
    own = [window for moment, window in windows if moment.rank == 0 and not moment.beyond][-1:]
    lessons = []
    for window in own:
        lessons.append(_summary([m.said for m in window]))
        copies = [m.altered for m in window if m.altered is not None]
        if len(copies) == len(window):
            lessons += [_summary([copy[number] for copy in copies]) for number in range(len(copies[0]))]
    return lessons


def _summary(said: Sequence[Float32Array]) -> FloatArray:
    return summary(np.stack(said))


def _rows(rows: Sequence[FloatArray], wide: int) -> Float32Array:
    return np.array(rows, np.float32).reshape(len(rows), wide)
