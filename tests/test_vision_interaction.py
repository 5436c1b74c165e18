"""Interaction regions and their scores, on painted pictures: when there is one, where it is, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from pipelines.aggression import CarefulScorer
from vision.aggression import LEAST_STACKS, WINDOW_S, RegionWatch
from vision.aggression_head import summary
from vision.change import STACK_PX, Pictures, change, cut, differences
from vision.detection import DetectorError, Float32Array
from vision.frame import Frame, Pixels
from vision.interaction import Region, RegionFinder

WIDTH_PX, HEIGHT_PX = 640, 360
TALL_PX = 100


class CountingScorer:
    """Counts its work; a stack is worth how much moves in it."""

    def __init__(self) -> None:
        self.stacks: list[Pixels] = []

    def embed(self, stack: Pixels) -> Float32Array:
        self.stacks.append(stack)
        return np.array([float(differences(stack[..., 1:]).mean())], np.float32)

    def judge(self, window: Sequence[Float32Array]) -> float:
        return float(min(1.0, np.mean(window) / 50))


def person(x: float) -> list[float]:
    return [x, 150.0, x + 40, 150.0 + TALL_PX]


def picture(flicker_at: float | None, step: int) -> Pixels:
    """Grey, with a patch as large as two people that changes with every picture."""
    shown = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    if flicker_at is not None:
        noise = np.random.default_rng(step).integers(0, 255, (12, 12, 1), np.uint8)
        left = int(flicker_at)
        shown[150 : 150 + 96, left : left + 96] = noise.repeat(8, 0).repeat(8, 1)
    return shown


def play(
    watch: RegionWatch,
    seconds: float,
    people: Sequence[Sequence[float]],
    flicker_at: float | None,
    start_s: float = 0.0,
) -> None:
    for step in range(round(seconds * 10)):
        seen = np.array(people, np.float32).reshape(-1, 4) if step % 2 == 0 else None
        watch.step(picture(flicker_at, step), start_s + step / 10, seen)


def test_an_empty_gate_costs_nothing_however_much_moves() -> None:
    scorer = CountingScorer()
    watch = RegionWatch(scorer)
    play(watch, 5, [], 300.0)
    assert scorer.stacks == []
    assert not watch.awake
    assert not watch.active
    assert watch.scored == ()


def test_of_a_picture_without_people_nothing_is_read() -> None:
    class Unread(Frame):
        read = 0

        @property
        def grey(self) -> Pixels:
            Unread.read += 1
            return super().grey

    watch = RegionWatch(CountingScorer())
    frames = [Unread("gate", "run", 1.0 + step / 10, np.zeros((432, 768, 3), np.uint8)) for step in range(4)]
    for frame in frames[:2]:
        watch.step(frame, frame.time_s, np.empty((0, 4), np.float32))
    assert Unread.read == 0
    watch.step(frames[2], frames[2].time_s, np.array([person(300)], np.float32))
    watch.step(frames[3], frames[3].time_s, None)
    assert Unread.read == 2


@pytest.mark.parametrize("people", [[person(300), person(350)], [person(320)]])
def test_people_who_stand_still_have_no_region(people: list[list[float]]) -> None:
    scorer = CountingScorer()
    watch = RegionWatch(scorer)
    play(watch, 5, people, None)
    assert watch.awake
    assert not watch.active
    assert scorer.stacks == []


def test_movement_far_from_people_is_nobodys_region() -> None:
    watch = RegionWatch(CountingScorer())
    play(watch, 5, [person(40), person(90)], 500.0)
    assert not watch.active


def test_a_struggle_is_followed_where_it_is_and_scored_five_times_a_second() -> None:
    scorer = CountingScorer()
    watch = RegionWatch(scorer)
    play(watch, 4, [person(300), person(350)], 300.0)
    (scored,) = watch.scored
    x, y, side = scored.region.square_px
    assert x <= 300
    assert x + side >= 388
    assert y <= 200 <= y + side
    assert scored.region.people == 2
    assert scored.region.closeness_heights == pytest.approx(0.5)
    assert scored.score is not None
    assert scored.score > 0.5
    assert 15 <= len(scorer.stacks) <= 20
    assert scorer.stacks[0].shape == (STACK_PX, STACK_PX, 4)
    assert len(scored.window) == round(WINDOW_S / 0.2) + 1


def test_a_describer_that_fails_is_told_of_once_and_the_region_is_followed_without_a_score() -> None:
    class Fails(CountingScorer):
        def embed(self, stack: Pixels) -> Float32Array:
            if len(self.stacks) == 8:
                raise DetectorError("out of memory")
            return super().embed(stack)

    said: list[str] = []
    scorer = Fails()
    watch = RegionWatch(CarefulScorer(scorer, said.append))
    play(watch, 14, [person(300), person(350)], 300.0)
    (scored,) = watch.scored
    assert (scored.score, scored.scores, scored.window) == (None, (), ()), (
        "what was judged ten seconds ago is no score of now"
    )
    assert len(scorer.stacks) == 8
    assert said == ["possible_bullying sees situations but no blows any more: out of memory"]


def test_no_score_before_there_is_a_window() -> None:
    watch = RegionWatch(CountingScorer())
    play(watch, 0.2 * LEAST_STACKS, [person(300), person(350)], 300.0)
    (young,) = watch.scored
    assert (len(young.window), young.score) == (LEAST_STACKS - 1, None)
    watch.step(picture(300.0, 10), 0.2 * LEAST_STACKS, np.array([person(300), person(350)]))
    (old,) = watch.scored
    assert (old.region.region_id, len(old.window)) == (young.region.region_id, LEAST_STACKS)
    assert old.score is not None


def test_a_region_outlives_the_detections_of_a_clinch_but_not_for_long() -> None:
    watch = RegionWatch(CountingScorer())
    play(watch, 3, [person(300), person(350)], 300.0)
    (before,) = watch.scored
    play(watch, 1.5, [], 300.0, 3.0)
    assert [one.region.region_id for one in watch.scored] == [before.region.region_id]
    play(watch, 5, [], 300.0, 4.5)
    assert watch.scored == ()
    assert not watch.awake


def test_two_places_are_two_regions_and_no_more_than_the_limit() -> None:
    finder = RegionFinder(limit=2)
    people = np.array([person(30), person(80), person(300), person(350), person(560), person(590)], np.float32)
    for step in range(20):
        shown = picture(30.0, step)
        shown[:, 250:] = picture(300.0, step)[:, 250:]
        shown[150:246, 540:636] = picture(540.0, step)[150:246, 540:636]
        if step % 2 == 0:
            finder.see_people(people, step / 10)
        finder.see_picture(shown[..., 0], step / 10)
    assert len(finder.regions) == 2
    assert len({region.region_id for region in finder.regions}) == 2


def test_a_tall_picture_is_halved_and_its_region_is_given_in_its_own_pixels() -> None:
    watch = RegionWatch(CountingScorer())
    for step in range(30):
        small = picture(300.0, step)
        large = small.repeat(4, 0).repeat(4, 1)
        watch.step(large, step / 10, np.array([person(300), person(350)]) * 4 if step % 2 == 0 else None)
    (scored,) = watch.scored
    x, _, side = scored.region.square_px
    assert x / 4 <= 330 <= (x + side) / 4


def test_another_size_of_picture_in_the_middle_of_a_run_is_borne() -> None:
    watch = RegionWatch(CountingScorer())
    play(watch, 2, [person(300), person(350)], 300.0)
    (before,) = watch.scored
    # Half as large from now on, as when a camera's profile is changed.
    for step in range(20, 60):
        people = np.array([person(300), person(350)]) / 2
        watch.step(picture(300.0, step)[::2, ::2].copy(), step / 10, people if step % 2 == 0 else None)
        assert all(one.score is None or 0 <= one.score <= 1 for one in watch.scored)
    # What was followed in the old size is let go; the struggle is found where it is in the new one.
    (after,) = watch.scored
    assert after.region.region_id != before.region.region_id
    x, y, side = after.region.square_px
    assert x <= 150
    assert x + side >= 194
    assert y <= 100 <= y + side
    assert side == pytest.approx(before.region.square_px[2] / 2)
    assert after.score is not None
    assert after.score > 0.5


def test_cutting_at_the_edge_moves_inside_and_pads_what_does_not_fit() -> None:
    grey = np.arange(100 * 200, dtype=np.uint32).reshape(100, 200).astype(np.uint8)
    assert np.array_equal(cut(grey, (-30.0, 0.0, 50.0), 50), grey[:50, :50])
    padded = cut(np.zeros((100, 200), np.uint8), (0.0, -50.0, 200.0), 200)
    assert padded[0, 0] == 114
    assert padded[100, 100] == 0


def flat(level: int) -> Pixels:
    return np.full((60, 80), level, np.uint8)


def test_a_stack_holds_now_a_tenth_a_fifth_and_two_fifths_of_a_second_ago() -> None:
    pictures = Pictures()
    region = Region(1, (10.0, 10.0, 30.0), 0.0, 0.0, 2, 0.5, 9.0, 1.0)
    seen = []
    for step in range(9):
        pictures.add(step / 10, flat(10 * step))
        if pictures.due:
            seen.append([int(level) for level in pictures.stack(region)[0, 0]])
            pictures.thin()
        assert len(pictures) <= 4  # each may be of two megapixels
    assert seen == [[0, 0, 10, 20], [0, 20, 30, 40], [20, 40, 50, 60], [40, 60, 70, 80]]


def test_pictures_of_another_size_or_of_long_ago_are_no_moments() -> None:
    pictures = Pictures()
    for step in range(4):
        pictures.add(step / 10, flat(step))
    pictures.add(0.4, flat(4)[::2])
    assert len(pictures) == 1
    pictures.add(5.0, flat(5)[::2])
    assert len(pictures) == 1
    assert not pictures.due


def test_change_is_black_where_nothing_moves_and_tells_quick_from_slow() -> None:
    stack = np.zeros((64, 64, 4), np.uint8)
    stack[0, 0] = [0, 10, 10, 10]  # changed before the last 0.2 s: only the slow picture sees it
    stack[1, 1] = [0, 0, 0, 200]
    quick, slow, *_ = change(stack)
    assert quick[0, 0].tolist() == [0, 0, 0]
    assert slow[0, 0, 0] == slow[0, 0, 2] > 0 == slow[0, 0, 1]
    assert quick[1, 1].tolist() == [0, 255, 255]
    assert (quick[2:] == 0).all()
    assert (slow[2:] == 0).all()


def test_the_same_change_is_told_alike_in_a_hazy_picture_and_in_a_clear_one() -> None:
    """What is half as strong for want of contrast is nearly as bright; noise on an even wall is not made much of."""
    rng = np.random.default_rng(2)
    scene, other = (cv2.GaussianBlur(rng.normal(size=(STACK_PX, STACK_PX)), (0, 0), 3) for _ in range(2))

    def told(contrast: float, noise: float = 0.0) -> float:
        moments = [contrast * seen / scene.std() for seen in (other, other, scene)]
        levels = [120 + seen + noise * rng.normal(size=seen.shape) for seen in moments]
        return float(differences(np.clip(np.stack(levels, axis=-1), 0, 255).astype(np.uint8))[..., 1].mean())

    clear, hazy = told(36), told(18)
    assert 0.6 * clear < hazy <= 1.05 * clear  # without regard to contrast it were half
    assert told(0, noise=1.5) < 0.15 * clear


@pytest.mark.parametrize("contrast", [30, 90])
def test_movement_is_how_far_it_moved_whatever_its_contrast(contrast: int) -> None:
    """A textured square of 40 pixels goes 4 pixels to the right within 0.1 s, 8 within 0.2 s, before what stands still."""
    rng = np.random.default_rng(5)
    behind, square = (cv2.GaussianBlur(rng.normal(size=(n, n)), (0, 0), 2) for n in (STACK_PX, 40))
    crops = []
    for right in (0, 8, 12, 16):
        seen = behind / behind.std()
        seen[70:110, 60 + right : 100 + right] = square / square.std()
        crops.append(np.clip(120 + contrast / 2 * seen, 0, 255).astype(np.uint8))
    *_, quick, slow = change(np.stack(crops, axis=-1))
    for picture in (quick, slow):
        sideways, upright, far = (float(np.median(picture[78:102, 84:108, channel])) for channel in range(3))
        assert sideways == pytest.approx(32, abs=10)
        assert upright < 8
        assert far == pytest.approx(sideways, abs=8)
        assert np.median(picture[:50]) < 4


def test_the_summary_is_the_root_of_mean_spread_and_maximum() -> None:
    assert summary([[9.0, 0.0], [1.0, -8.0]]).tolist() == pytest.approx([5**0.5, -2.0, 2.0, 2.0, 3.0, 0.0])
