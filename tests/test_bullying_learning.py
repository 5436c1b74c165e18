"""Labelled clips, figures and the head: on small made-up data."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from pipelines.aggression import HEAD, load_head
from pipelines.bullying import figures, report
from pipelines.bullying.clips import Clip, Moment, read_manifest
from pipelines.bullying.learning import NO_REGION, cross_validate, fit, of_clips, openings_s, splits
from pipelines.bullying.windows import Windows
from pipelines.errors import BadInput
from vision.aggression import LEAST_STACKS, WINDOW_S, embed
from vision.aggression_head import Head, summary
from vision.change import PICTURES
from vision.detection import Float32Array
from vision.frame import Pixels


def manifest(folder: Path, *rows: str) -> Path:
    (folder / "a.mp4").write_bytes(b"x")
    (folder / "manifest.csv").write_text("\n".join(["path,label,group", *rows]) + "\n")
    return folder


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.mp4,brawl,g1", r"manifest\.csv:2: label 'brawl'; allowed: fight, normal"),
        ("a.mp4,fight,", r"manifest\.csv:2: group is missing"),
        ("b.mp4,fight,g1", r"manifest\.csv:2: .*b\.mp4 does not exist"),
    ],
)
def test_a_manifest_with_a_fault_is_refused_by_line(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_manifest(manifest(tmp_path, row))


def test_a_manifest_is_read_and_a_missing_or_empty_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_manifest(tmp_path)
    with pytest.raises(BadInput, match="names no clip"):
        read_manifest(manifest(tmp_path))
    (clip,) = read_manifest(manifest(tmp_path, "a.mp4,fight,g1"))
    assert (clip.name, clip.is_fight, clip.group) == ("a.mp4", True, "g1")


def made_up(apart: float, groups: int = 12, wide: int = 6, copies: int = 0) -> Windows:
    """Clips of 1.8 s whose stacks differ by `apart` in one number between fights and others, four clips a source."""
    rng = np.random.default_rng(3)
    clips, said = [], []
    for index in range(groups * 4):
        is_fight = index % 2 == 0
        clips.append(Clip(f"{index}", Path(), is_fight, f"s{index // 4}"))
        shift = np.zeros(wide)
        shift[0] = apart * is_fight
        stacks = [(rng.normal(size=wide) + shift).astype(np.float32) for _ in range(0 if index == 3 else 9)]
        altered = [np.stack([one] * copies) if copies else None for one in stacks]
        said.append([Moment(0.2 * i, 1, 0, 2, one, altered[i], i > 7) for i, one in enumerate(stacks)])
    return Windows.gather(clips, said)


def test_windows_are_those_of_the_run_time() -> None:
    """Of one region, as long as `WINDOW_S`, never fewer stacks than `LEAST_STACKS`; lessons are of what a clip shows."""
    rng = np.random.default_rng(1)
    steps = 20
    own = [rng.normal(size=2).astype(np.float32) for _ in range(steps)]
    other = [rng.normal(size=2).astype(np.float32) for _ in range(steps)]
    said = [Moment(0.2 * i, 7, 0, 2, own[i], np.stack([own[i] + 1]), i >= 15) for i in range(steps)]
    said += [Moment(0.2 * i, 8, 1, 2, other[i], None, i >= 15) for i in range(steps)]
    windows = Windows.gather([Clip("a", Path(), True, "s")], [said])
    mine = windows.region == 7
    assert mine.sum() == (~mine).sum() == steps - LEAST_STACKS + 1
    length = round(WINDOW_S / 0.2) + 1
    assert windows.features[mine][-1] == pytest.approx(summary(np.stack(own[-length:])))
    assert windows.features[mine][0] == pytest.approx(summary(np.stack(own[:LEAST_STACKS])))
    assert windows.whole[0] == pytest.approx(summary(np.stack(own[:15])))
    assert windows.lessons[0] == pytest.approx(summary(np.stack(own[15 - length : 15])))
    assert windows.lessons[1] == pytest.approx(summary(np.stack(own[15 - length : 15]) + 1))
    assert len(windows.lessons) == 2
    assert windows.weight.sum() == pytest.approx(1.0)


def test_a_long_clip_is_judged_in_parts_as_long_as_the_lessons() -> None:
    """Spread and maximum grow with time: as one piece a long ordinary clip would seem wilder than a short one."""
    rng = np.random.default_rng(4)
    steps = 26
    stacks = [rng.normal(size=2).astype(np.float32) for _ in range(steps)]
    said = [Moment(0.2 * i, 7, 0, 2, one, None, False) for i, one in enumerate(stacks)]
    windows = Windows.gather([Clip("a", Path(), True, "s"), Clip("b", Path(), False, "t")], [said, said[:10]])
    assert windows.of_part.tolist() == [0, 0, 1]
    assert windows.whole[0] == pytest.approx(summary(np.stack(stacks[:13])))
    assert windows.whole[1] == pytest.approx(summary(np.stack(stacks[13:])))

    class Sum:
        def values(self, summarised: Float32Array) -> Float32Array:
            return summarised.sum(axis=1)

    first, second, other = windows.whole.sum(axis=1)
    assert of_clips(cast(Head, Sum()), windows) == pytest.approx([(first + second) / 2, other])


def test_sources_are_never_split() -> None:
    windows = made_up(1.0)
    judged: list[int] = []
    for learn, judge in splits(windows, 5, 0):
        assert not set(windows.group[learn]) & set(windows.group[judge])
        judged += judge.tolist()
    assert sorted(judged) == list(range(len(windows.is_fight)))


def test_what_can_be_learnt_is_learnt_and_chance_stays_chance() -> None:
    def auc(apart: float) -> float:
        windows = made_up(apart)
        return figures.averaged(cross_validate(windows, [0, 1]).clips, windows.is_fight)["auc"]

    assert auc(3.0) > 0.95
    assert 0.25 < auc(0.0) < 0.75


def test_training_is_deterministic_and_a_head_survives_saving(tmp_path: Path) -> None:
    windows = made_up(2.0, copies=1)
    every = np.arange(len(windows.is_fight))
    first, second = fit(windows, every, 0, ("abc",)), fit(windows, every, 0, ("abc",))
    first.save(tmp_path / "head.npz")
    loaded = Head.load(tmp_path / "head.npz")
    told = first.values(windows.features)
    assert np.array_equal(told, second.values(windows.features))
    assert np.allclose(told, loaded.values(windows.features))
    assert loaded.trained_on == ("abc",)
    scores = loaded.probabilities(told)
    assert ((scores > 0) & (scores < 1)).all()
    assert (np.argsort(scores) == np.argsort(told)).all()
    stacks = np.random.default_rng(0).normal(size=(6, 6))
    expected = float(loaded.probabilities(loaded.values(summary(stacks)[None]))[0])
    assert loaded.judge(stacks) == pytest.approx(expected, abs=1e-4)  # one by one as at a gate, or many at once


def test_a_clip_without_a_region_raises_nothing() -> None:
    windows = made_up(3.0)
    head = fit(windows, np.arange(len(windows.is_fight)), 0)
    assert of_clips(head, windows)[3] == NO_REGION
    assert head.probabilities(NO_REGION) < 0.2


def test_a_broken_head_is_refused(tmp_path: Path) -> None:
    (tmp_path / "head.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is no head"):
        Head.load(tmp_path / "head.npz")


def test_a_head_of_an_earlier_release_says_what_to_do(tmp_path: Path) -> None:
    """One that was learnt from fewer pictures of a region would else fail at the first window of a busy noon."""

    class Reader:
        numbers = 4

        def read(self, pictures: Pixels) -> Float32Array:
            return np.zeros((PICTURES, self.numbers), np.float32)

    for pictures, fits in ((PICTURES, True), (2, False)):
        site = tmp_path / f"{pictures}"
        path = site / "models" / HEAD
        path.parent.mkdir(parents=True)
        wide = pictures * Reader.numbers
        windows = made_up(2.0, wide=wide)
        fit(windows, np.arange(len(windows.is_fight)), 0).save(path)
        if fits:
            head = load_head(site, Reader())
            assert 0 < head.judge(np.stack([embed(Reader(), np.zeros((64, 64, 4), np.uint8))] * LEAST_STACKS)) < 1
        else:
            with pytest.raises(BadInput, match=r"earlier release: it judges 24 numbers.* 48: train it anew"):
                load_head(site, Reader())


def test_figures_on_a_small_table() -> None:
    truth = np.array([True, True, False, False])
    measured = figures.measures(np.array([0.9, 0.4, 0.6, 0.1]), truth)
    assert measured["accuracy"] == 0.5
    assert measured["recall"] == 0.5
    assert measured["precision"] == 0.5
    assert measured["auc"] == 0.75
    assert figures.auc(np.full(4, 0.5), truth) == 0.5
    assert figures.recall_at(np.array([0.9, 0.4, 0.6, 0.1]), truth, 0.1) == 0.5


def test_intervals_are_over_sources() -> None:
    truth = np.array([True, False] * 20)
    score = np.where(truth, 0.8, 0.2)
    score[:2] = [0.2, 0.8]
    group = np.array([f"s{i // 2}" for i in range(40)])
    low, high = figures.intervals(score, truth, group, 200)["accuracy"]
    assert low < 0.95 <= high
    # Four cameras of ten clips, one of which is wrong about everything: how many of four are is what chance decides.
    score[:10] = 1 - np.where(truth[:10], 0.8, 0.2)
    score[10:] = np.where(truth[10:], 0.8, 0.2)
    assert figures.intervals(score, truth, np.repeat(["a", "b", "c", "d"], 10))["accuracy"] == (0.25, 1.0)
    low, high = figures.intervals(score, truth, np.array([f"clip {i // 2}" for i in range(40)]))["accuracy"]
    assert 0.5 < low < 0.75 < high < 1.0, "were each pair of clips a camera of its own, it would seem surer than it is"


def test_the_poisson_bound() -> None:
    assert figures.poisson_bound_per_day(0, 86400.0) == pytest.approx(2.9957, abs=1e-3)
    assert figures.poisson_bound_per_day(1, 86400.0) == pytest.approx(4.7439, abs=1e-3)
    assert figures.poisson_bound_per_day(0, figures.seconds_for_bound(1.0)) == pytest.approx(1.0)


def test_k_of_n_within_one_region() -> None:
    windows = made_up(0.0)
    probability = np.zeros(len(windows.clip))
    mine = np.flatnonzero(windows.clip == 2)
    probability[mine[[1, 2, 4]]] = 0.9
    assert openings_s(windows, probability, 2, 0.8, 3, 4) == [pytest.approx(1.6)]
    assert openings_s(windows, probability, 2, 0.8, 3, 3) == []
    assert openings_s(windows, probability, 2, 0.8, 3, 4, beyond=False) == []  # its last window is of the continuation
    assert openings_s(windows, probability, 3, 0.8, 1, 1) == []


def test_only_distinct_seconds_that_nothing_was_learnt_from_bound_false_incidents() -> None:
    """Windows of the continuation may fire as they like: what a clip really shows is counted, and once."""
    windows = made_up(0.0)
    seconds = np.full(len(windows.is_fight), 1.8)
    every = np.ones(len(windows.is_fight), bool)
    quiet = np.where(windows.beyond, 0.99, 0.0)[None]
    others = int((~windows.is_fight).sum())
    told = report.of_incidents(quiet, windows, seconds, every)
    assert told["ordinary_distinct_hours"] == pytest.approx(others * 1.8 / 3600, abs=1e-4)
    assert told["normal"]["ordinary_false_incidents_worst"] == 0
    assert told["normal"]["bound_95_per_day"] == pytest.approx(2.9957 / (others * 1.8) * 86400, rel=1e-3)
    nothing = report.of_incidents(quiet, windows, seconds, ~every)
    assert nothing["normal"] == {
        "fights": None,
        "ordinary_continued": None,
        "ordinary_false_incidents": 0.0,
        "ordinary_false_incidents_worst": 0,
        "bound_95_per_day": None,
    }
    video = {"distinct_hours": 1.0} | {name: {"false_incidents": 1} for name in ("low", "normal", "high")}
    both = report.together(nothing, {"a.mp4": video})
    assert both["distinct_hours"] == 1.0
    assert both["normal"] == {"false_incidents": 1, "bound_95_per_day": pytest.approx(4.7439 * 24, abs=0.1)}


def test_the_reliability_diagram_is_drawn_for_each_bin_that_has_clips() -> None:
    rows = figures.reliability(np.array([0.05, 0.95, 0.97]), np.array([False, True, False]))
    assert [(r["count"], r["share_of_fights"]) for r in rows] == [(1, 0.0), (2, 0.5)]
    assert figures.reliability_svg(rows, "t").count("<circle") == 2
