"""The benchmark of many cameras: what it plays, how it searches for the limit, and one short run of the real worker."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.bench import footage, limit
from pipelines.bench.cameras import _Bench
from pipelines.bench.trial import stages_of
from pipelines.cli import main
from pipelines.config.schema import Config
from pipelines.media.file import FileSource
from pipelines.media.writer import VideoWriter
from pipelines.workers.analysis import AnalysisWorker
from vision.motion import MotionGate


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of something bright that crosses a textured ground, 1024x768."""
    out = tmp_path_factory.mktemp("clip") / "clip.mp4"
    ground = np.kron(
        np.random.default_rng(3).integers(50, 150, (24, 32, 3), dtype=np.uint8), np.ones((32, 32, 1), np.uint8)
    )
    with VideoWriter(out, 10.0) as writer:
        for number in range(40):
            picture = ground.copy()
            picture[300:420, 20 * number : 20 * number + 50] = 240
            writer.write(picture, number / 10)
    return out


def test_a_picture_of_any_shape_becomes_a_sub_stream_without_being_bent() -> None:
    picture = np.zeros((1080, 1440, 3), np.uint8)
    picture[500:580, 680:760] = 255
    seen = footage.as_sub_stream(picture)
    assert seen.shape == (432, 768, 3)
    scale, left, top = footage.top_left_px(1080, 1440)
    rows, columns = np.nonzero(seen[..., 0] > 200)
    assert (columns.min(), rows.min()) == pytest.approx((680 * scale - left, 500 * scale - top), abs=1)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1)


def test_the_quiet_is_alive_and_yet_nothing_moves_in_it(clip: Path) -> None:
    shown = list(islice(footage.pictures(clip, 0.1), 80))
    assert not any(np.array_equal(one, other) for one, other in pairwise(shown)), "no picture is frozen"
    changed = []
    for part in (shown[:25], shown[25:]):
        gate = MotionGate()
        changed.append([gate.update(picture, number / footage.FPS).changed for number, picture in enumerate(part)])
    assert sum(changed[0]) >= 24
    assert sum(changed[1]) <= 3


def test_the_stream_is_made_once(clip: Path, tmp_path: Path) -> None:
    stream = footage.sub_stream(clip, 1.0, tmp_path)
    made_ns = stream.stat().st_mtime_ns
    assert footage.sub_stream(clip, 1.0, tmp_path).stat().st_mtime_ns == made_ns
    source = FileSource(str(stream), "camera").probe()
    assert source.native_fps == pytest.approx(footage.FPS, rel=0.01)
    assert next(iter(source)).pixels.shape == (432, 768, 3)


@pytest.mark.parametrize(("true_limit", "first"), [(1, 8), (7, 8), (23, 8), (61, 8), (40, 40)])
def test_the_search_finds_the_limit_in_few_trials(true_limit: int, first: int) -> None:
    tried: list[int] = []

    def trial(cameras: int) -> limit.Figures:
        tried.append(cameras)
        cost_s = 2 / true_limit * 0.9
        return {
            "cameras": cameras, "meets": cameras <= true_limit, "analysed_fps_min": 5.0, "p95_age_s": 0.3,
            "per_camera_cpu_s": cost_s, "cores": 2,
        }  # fmt: skip

    found = limit.find(trial, first, lambda _: None)
    assert true_limit - max(1, round(0.03 * true_limit)) <= found["limit"] <= true_limit
    assert {"limit", "per_camera_cpu_s", "p95_age_s"} <= found.keys()
    assert len(tried) <= 9
    assert len(set(tried)) == len(tried)


def test_not_even_one_camera_is_a_limit_of_none() -> None:
    figures = {"meets": False, "analysed_fps_min": 1.0, "p95_age_s": 2.0, "per_camera_cpu_s": 5.0, "cores": 2}
    assert limit.find(lambda n: {"cameras": n, **figures}, 4, lambda _: None)["limit"] == 0


def test_tracks_are_kept_as_the_configuration_says() -> None:
    assert "keep" in stages_of(Config())
    assert "keep" not in stages_of(Config.model_validate({"tracks": {"enabled": False}}))


@pytest.mark.model
@pytest.mark.slow
def test_the_real_worker_on_two_cameras(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["bench", "cameras", "--cameras", "2", "--seconds", "2", "--video", str(clip), "--json"]
    assert main(argv) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["cameras"] == 2
    assert figures["analysed_fps_min"] > 0
    assert figures["stages_cpu_s"].keys() >= {"decode", "gate", "detect", "track", "rules", "publish", "inference"}
    assert figures["stages_cpu_s"]["decode"] > 0
    assert figures["stages_cpu_s"]["inference"] > 0
    assert figures["stages_cpu_s"]["keep"] > 0
    assert figures["bench_cpu_s"] > 0
    assert figures["chunks"]["runs"] >= 1, "what becomes of tracks is done, and counted, as on a site"
    assert 0 < figures["p50_age_s"] <= figures["p95_age_s"] <= figures["max_age_s"]
    assert sum(figures["stages_cpu_s"].values()) == pytest.approx(figures["per_camera_cpu_s"], rel=0.02)


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_ends_while_it_is_measured_leaves_no_figures(
    clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = _Bench.count

    def ends(bench: _Bench) -> Any:
        monkeypatch.setattr(AnalysisWorker, "run_once", lambda _: 1 / 0)
        return count(bench)

    monkeypatch.setattr(_Bench, "count", ends)
    assert main(["bench", "cameras", "--cameras", "1", "--seconds", "2", "--video", str(clip), "--json"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "the worker ended while it was measured" in told.err


@pytest.mark.parametrize(
    "wrong", [["--seconds", "0.5"], ["--activity", "2"], ["--rules", "theft"], ["--video", "none.mp4"]]
)
def test_what_cannot_be_measured_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "cameras", *wrong]) == 2
    assert wrong[0].strip("-")[:5] in capsys.readouterr().err
