"""How much what happens in a region looks like a fight: crops of four moments, a describer of pictures, a small head.

How a crop changed and how far what is seen in it moved, quickly and slowly, are four pictures in which what stands still is
black. A network that was trained on photographs describes them (its middle layers: shapes, not things), and a head of ours
judges what it said over the last seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from vision.aggression_head import STATISTICS, Head
from vision.change import GAP_S, PICTURES, SLACK_S, Pictures, change
from vision.detection import Float32Array
from vision.frame import Picture, Pixels, grey_of, size_px
from vision.interaction import Region, RegionFinder

WINDOW_S: Final = 2.4
#: Fewer stacks than this are no window: nothing is said of the first moments of a region.
LEAST_STACKS: Final = 5

_TALLEST_PX: Final = 1080  # taller pictures are halved before they are kept: it bounds the memory


class FeatureReader(Protocol):
    """Something that describes pictures with D = `numbers` numbers each."""

    @property
    def numbers(self) -> int: ...

    def read(self, pictures: Pixels) -> Float32Array:
        """(PICTURES, STACK_PX, STACK_PX, 3) uint8 -> (PICTURES, D)."""
        ...


class RegionScorer(Protocol):
    """Describes stacks and judges windows of what it said of them."""

    def embed(self, stack: Pixels) -> Float32Array | None:
        """One stack (STACK_PX, STACK_PX, 4) uint8, oldest moment first -> (D,). None: it cannot be described; then the region
        is followed and has no score.
        """
        ...

    def judge(self, window: Sequence[Float32Array]) -> float:
        """The probability 0..1 that a window (oldest first) is of a fight, were fights as frequent as ordinary scenes."""
        ...


@dataclass(frozen=True, slots=True)
class ScoredRegion:
    """`score` is that of the last window, None while there are too few stacks; `scores` are all of its (time_s, score) of
    the last ten seconds; `window` is what was said of the stacks of the last `WINDOW_S`, oldest first.
    """

    region: Region
    score: float | None
    scores: tuple[tuple[float, float], ...] = ()
    window: tuple[Float32Array, ...] = ()


class AggressionModel:
    """The `RegionScorer` in use: a describer of pictures and our head."""

    def __init__(self, reader: FeatureReader, head: Head) -> None:
        self._reader = reader
        self._head = head

    def embed(self, stack: Pixels) -> Float32Array:
        return embed(self._reader, stack)

    def judge(self, window: Sequence[Float32Array]) -> float:
        return self._head.judge(np.stack(window))


def wanted_by(reader: FeatureReader) -> int:
    """How many numbers of a window a head must judge that is to fit `reader`."""
    return STATISTICS * PICTURES * reader.numbers


def embed(reader: FeatureReader, stack: Pixels) -> Float32Array:
    """What `reader` says of the pictures of how a stack changed, joined: (PICTURES D,)."""
    return np.asarray(reader.read(change(stack)).reshape(-1), np.float32)


@dataclass(slots=True)
class _Past:
    embeddings: deque[tuple[float, Float32Array]] = field(default_factory=deque)
    scores: deque[tuple[float, float]] = field(default_factory=deque)


class RegionWatch:
    """Follows the regions of one camera and scores each, five times a second, while it exists.

    Give it the people after each detection, and every picture (more often is better, up to ten a second). Without
    people it keeps nothing and computes nothing.
    """

    def __init__(self, scorer: RegionScorer, finder: RegionFinder | None = None) -> None:
        self._scorer = scorer
        self._finder = RegionFinder() if finder is None else finder
        self._pictures = Pictures()
        self._past: dict[int, _Past] = {}
        self._scored: tuple[ScoredRegion, ...] = ()

    @property
    def scored(self) -> tuple[ScoredRegion, ...]:
        return self._scored

    @property
    def awake(self) -> bool:
        return self._finder.awake

    @property
    def active(self) -> bool:
        """Whether a region exists, and with it the wish for `interaction.RATE_HZ` pictures a second."""
        return bool(self._finder.regions)

    def step(self, picture: Picture, time_s: float, people_px: npt.ArrayLike | None) -> tuple[ScoredRegion, ...]:
        """One picture, of which only the brightness is read, and that only while somebody is near another; `people_px` (N, 4)
        boxes in its pixels, None when no detector looked at it.
        """
        shrink = 0.5 if size_px(picture)[0] > _TALLEST_PX else 1.0
        if people_px is not None:
            self._finder.see_people(np.asarray(people_px, np.float32).reshape(-1, 4) * shrink, time_s)
        if not self._finder.awake:
            self._pictures.clear()
            self._past.clear()
            self._scored = ()
            self._finder.see_picture(_EMPTY, time_s)
            return ()
        last_s = self._pictures.last_s
        if last_s is not None and time_s - last_s < GAP_S - SLACK_S:
            return self._scored
        grey = grey_of(picture)
        if shrink != 1.0:
            grey = np.asarray(cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
        regions = self._finder.see_picture(grey, time_s)
        self._pictures.add(time_s, grey)
        due = self._pictures.due
        self._scored = tuple(self._score(region, time_s, due, 1 / shrink) for region in regions)
        if due:
            self._pictures.thin()
        alive = {region.region_id for region in regions}
        self._past = {region_id: past for region_id, past in self._past.items() if region_id in alive}
        return self._scored

    def _score(self, region: Region, time_s: float, due: bool, back: float) -> ScoredRegion:
        past = self._past.setdefault(region.region_id, _Past())
        if due:
            described = self._scorer.embed(self._pictures.stack(region))
            if described is not None:
                past.embeddings.append((time_s, described))
            while past.embeddings and time_s - past.embeddings[0][0] > WINDOW_S + 1e-6:
                past.embeddings.popleft()
            if described is not None and len(past.embeddings) >= LEAST_STACKS:
                past.scores.append((time_s, self._scorer.judge([said for _, said in past.embeddings])))
        while past.scores and time_s - past.scores[0][0] > 10.0:
            past.scores.popleft()
        window = tuple(said for _, said in past.embeddings)
        x, y, side = region.square_px
        whole = replace(region, square_px=(x * back, y * back, side * back))
        return ScoredRegion(whole, past.scores[-1][1] if past.scores else None, tuple(past.scores), window)


_EMPTY: Final[Pixels] = np.zeros((8, 8), np.uint8)
