"""Frames of tracks for tests, with all that can be in one, and how a worker leaves them behind."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from pipelines.tracks.chunk import Origin
from pipelines.tracks.converting import Converting
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.packed import PackedFrames, PlaceSeen
from pipelines.tracks.rounding import rounded
from pipelines.tracks.spool import Spool
from vision.aggression import ScoredRegion
from vision.crowd import CrowdReading
from vision.detection import Detections
from vision.engine import Engine, Step
from vision.frame import Frame
from vision.interaction import Region
from vision.looks import SIDE, Looks
from vision.moment import Moment
from vision.scene import Scene
from vision.view import View, ViewState

START_S = 1_790_000_400.0
ORIGIN = Origin("gate", "v1", {"tracker": [1, 2.5, None], "名": "北门"}, {"rules": [], "zones": {}})


def moments(random: np.random.Generator, count: int) -> Iterator[tuple[Moment, Any, tuple[PlaceSeen, ...]]]:
    """All that can be in a frame, now and then: boxes (one far outside any picture), regions with scores, looks, a crowd."""
    scores: list[tuple[float, float]] = []
    for number in range(count):
        time_s = START_S + number / 5
        n = int(random.integers(0, 6))
        width = 40_000 if random.random() < 0.02 else 700
        boxes = random.uniform(0, width, (n, 4)).astype(np.float32)
        seen = rounded(
            Detections(boxes, random.uniform(0.1, 1, n).astype(np.float32), random.integers(0, 9, n).astype(np.int64))
        )
        regions = []
        if random.random() < 0.5:
            scores = [*scores[-9:], (time_s, float(random.random()))]
            closeness = float(random.choice([np.inf, 1.25]))
            region = Region(7, (1.0, 2.0, 96.5), time_s - 3, time_s - 0.2, 3, closeness, 3.5, 1.25)
            regions.append(ScoredRegion(region, scores[-1][1], tuple(scores)))
        crowd = None
        if random.random() < 0.1:
            crowd = CrowdReading(np.array([[0.25, 0.5]]), np.array([2.0]), (0.0, 0.0, 1.0, 1.0))
        looks: list[PlaceSeen] = []
        if random.random() < 0.3:
            cells = random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
            key = str(random.choice(["kerb/1", "门口/2"]))
            looks.append(PlaceSeen(key, (0, 0.1, float(random.random()), 1), Looks(cells) if number % 4 else None))
        view = View(ViewState.USABLE if number % 7 else ViewState.DARK, 100.0, 50.0)
        found = Moment("gate", time_s, 768, 432, seen, view, tuple(regions), {}, crowd)
        yield found, random.integers(-1, 90, n).astype(np.int64), tuple(looks)


def whole(seed: int, count: int) -> PackedFrames:
    frames = PackedFrames()
    for moment, ids, looks in moments(np.random.default_rng(seed), count):
        frames.add(moment, moment.detections, ids, looks)
    return frames


def pieces(seed: int, count: int) -> list[PackedFrames]:
    """The same frames, cut anywhere."""
    cut = np.random.default_rng(seed + 1000)
    found = [PackedFrames()]
    for moment, ids, looks in moments(np.random.default_rng(seed), count):
        if cut.random() < 0.2:
            found.append(found[-1].following())
        found[-1].add(moment, moment.detections, ids, looks)
    return found


def a_spool(root: Path, seed: int = 1, count: int = 60, origin: Origin = ORIGIN) -> Path:
    """One that a worker left."""
    growing = Spool(root, origin, START_S)
    for one in pieces(seed, count):
        growing.append(one)
    growing.close()
    return growing.path


def files(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name[-4:] != "lock"
    )


class Told:
    """An engine that says what the test wants, where only its snapshot is asked for."""

    def snapshot(self) -> dict[str, Any]:
        return {"n": 1}


def sees(keeper: TrackKeeper, moment: Moment, ids: Any) -> None:
    """A frame and what came of it, as if an engine had judged it; nothing stands there."""
    scene = Scene(moment.camera_id, moment.time_s, 0.2, 768, 432, (), moment.detections, ids, {}, None, moment.view)
    keeper.before(moment.time_s, cast(Engine, Told()), "v1", dict)
    keeper.after(
        Step((), (), scene, False, moment),
        Frame(moment.camera_id, "run", moment.time_s, np.zeros((432, 768, 3), np.uint8)),
    )


def convert(root: Path) -> Converting:
    """Make chunks of the spools in `root` by the real program.

    Raises:
        TimeoutError: it did not end.
    """
    converting = Converting(root, logging.getLogger("test"))
    converting.start()
    if not converting.finish(120):
        raise TimeoutError("the conversion did not end in two minutes")
    return converting
