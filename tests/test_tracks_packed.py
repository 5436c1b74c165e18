"""Frames that wait for the end of their chunk: what they take, and that nothing is lost in so few bits."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pipelines.testing import both_ways
from pipelines.tracks.chunk import Chunk, Origin
from pipelines.tracks.folder import write_chunk
from pipelines.tracks.packed import NARROW, WIDE, PackedFrames
from pipelines.tracks.parquet import encode
from pipelines.tracks.reading import ChunkReader
from pipelines.tracks.rounding import rounded
from vision.aggression import ScoredRegion
from vision.detection import Detections
from vision.interaction import Region
from vision.moment import Moment
from vision.view import View, ViewState

START_S = 1_790_000_000.2


def detections(random: np.random.Generator, count: int, width_px: int = 768) -> Detections:
    boxes = random.uniform(-9, width_px, (count, 4)).astype(np.float32)
    return rounded(Detections(boxes, random.uniform(0.1, 1, count).astype(np.float32), random.integers(0, 80, count)))


def moment(number: int, found: Detections, regions: tuple[ScoredRegion, ...] = ()) -> Moment:
    view = View(ViewState.USABLE if number % 3 else ViewState.DARK, 100.25 + number, 49.75)
    return Moment("gate", START_S + number / 5, 768, 432, found, view, regions)


def read(frames: PackedFrames, folder: Path) -> list[Moment]:
    content = encode(Chunk(Origin("gate", "v1", {}, {"rules": []}), frames))
    return ChunkReader(write_chunk(folder, "gate", START_S, content)).moments


def region(number: int, seen: int) -> ScoredRegion:
    """With what was said of twelve stacks, which is large and not written."""
    where = Region(number, (float(seen), 20.0, 96.0), START_S, START_S + seen / 5, 2, float("inf"), 3.5, 1.25)
    scores = tuple((START_S + n / 5, n / 1000) for n in range(max(0, seen - 20), seen))
    return ScoredRegion(where, 0.5, scores, tuple(np.full(1000, seen, np.float32) for _ in range(12)))


def test_ten_minutes_of_a_busy_camera_take_less_than_a_megabyte() -> None:
    random = np.random.default_rng(4)
    frames = PackedFrames()
    tracemalloc.start()
    try:
        for number in range(3000):
            found = detections(random, 10)
            frames.add(moment(number, found, (region(1, number),)), found, np.arange(number, number + 10), ())
        del found
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(frames) == 3000
    assert frames.box_count == 30_000
    assert kept < 1_000_000


@pytest.mark.parametrize("wide", ["a box", "a class", "a track", "nothing"])
def test_what_does_not_fit_widens_all(tmp_path: Path, wide: str) -> None:
    random = np.random.default_rng(5)
    found = [detections(random, 7), detections(random, 0), detections(random, 9), detections(random, 3)]
    ids = [np.arange(len(one)) * (-1) ** np.arange(len(one)) for one in found]
    if wide == "a box":
        found[2] = detections(random, 9, 20_000)
    if wide == "a class":
        found[2] = Detections(found[2].xyxy_px, found[2].confidence, found[2].class_id + 300)
    if wide == "a track":
        ids[2] = ids[2] + 2**31 - 20

    def work() -> PackedFrames:
        frames = PackedFrames()
        for number, (one, track_id) in enumerate(zip(found, ids, strict=True)):
            frames.add(moment(number, one), one, track_id, ())
        return frames

    compiled, plain = both_ways(work)
    assert compiled.boxes().dtype == plain.boxes().dtype == (WIDE if wide in ("a box", "a class") else NARROW)
    np.testing.assert_array_equal(compiled.boxes(), plain.boxes())
    assert compiled.boxes()["track"].tolist() == np.concatenate(ids).tolist()
    for number, one in enumerate(read(compiled, tmp_path)):
        assert one.time_s == START_S + number / 5
        assert (one.view.state is ViewState.USABLE) == bool(number % 3)
        assert one.view.luminance == round(100.25 + number)
        for name in ("xyxy_px", "confidence", "class_id"):
            np.testing.assert_array_equal(getattr(one.detections, name), getattr(found[number], name))


@pytest.mark.parametrize("what", ["a class", "a track", "a box"])
def test_what_is_too_large_for_the_file_is_refused_and_not_written_as_another_number(what: str) -> None:
    found, ids = detections(np.random.default_rng(6), 3), np.arange(3)
    if what == "a class":
        found = Detections(found.xyxy_px, found.confidence, found.class_id + 2**40)
    elif what == "a track":
        ids = ids + 2**40
    else:
        found = Detections(found.xyxy_px + np.float32(1e12), found.confidence, found.class_id)

    def work() -> str:
        frames = PackedFrames()
        frames.add(moment(0, found), found, ids, ())
        with pytest.raises(ValueError, match="not in range") as refused:
            encode(Chunk(Origin("gate", "v1", {}, {"rules": []}), frames))
        return str(refused.value)

    compiled, plain = both_ways(work)
    assert compiled == plain


def test_regions_and_their_scores_come_back(tmp_path: Path) -> None:
    frames = PackedFrames()
    told = [(region(1, n), region(2, n + 1)) if n % 2 else (region(1, n),) for n in range(40)]
    for number, regions in enumerate(told):
        frames.add(moment(number, Detections.empty(), regions), Detections.empty(), np.empty(0, np.int64), ())
    for one, regions in zip(read(frames, tmp_path), told, strict=True):
        assert [scored.region.region_id for scored in one.regions] == [scored.region.region_id for scored in regions]
        for back, scored in zip(one.regions, regions, strict=True):
            assert back.region.square_px == scored.region.square_px
            assert back.region.seen_s == pytest.approx(scored.region.seen_s, abs=2e-3)
            assert back.region.closeness_heights == float("inf")
            assert back.score == (scored.scores[-1][1] if scored.scores else None)
            assert set(back.scores) >= set(scored.scores)
