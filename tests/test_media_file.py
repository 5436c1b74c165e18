"""Reading recorded video: every picture with its own time, none twice, and clear words for what cannot be read."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import ffmpeg
import numpy as np
import pytest

from pipelines.errors import BadInput
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.media.file import FileSource, open_source
from pipelines.media.writing import write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clip") / "clip.mp4"
    source = ffmpeg.input("testsrc2=size=160x120:rate=10:duration=4", f="lavfi")
    Ffmpeg.find().run(source.output(str(out), vcodec="libx264", g=10, bf=2))
    return out


def test_all_pictures_in_order_with_their_times(clip: Path) -> None:
    source = open_source(str(clip), "gate", start_s=1000.0)
    assert source.duration_s == pytest.approx(4.0)
    assert source.native_fps == pytest.approx(10.0)
    frames = list(source)
    assert [frame.time_s for frame in frames] == pytest.approx([1000.0 + i / 10 for i in range(40)])
    assert frames[0].pixels.shape == (120, 160, 3)
    assert len(list(source)) == 40  # a second reading begins anew


def test_fewer_pictures_are_picked_and_none_is_made_up(clip: Path) -> None:
    assert [frame.time_s for frame in FileSource(str(clip), "gate", fps=5)] == pytest.approx([i / 5 for i in range(20)])
    assert len(list(FileSource(str(clip), "gate", fps=30))) == 40


def test_colours_are_blue_green_red(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :, 2] = 255  # red
    out = tmp_path / "red.mp4"
    assert write_video([picture] * 5, out, fps=5) == 5
    blue, green, red = next(iter(FileSource(str(out), "gate"))).pixels.mean(axis=(0, 1))
    assert red > 230
    assert max(blue, green) < 25


def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(clip: Path, tmp_path: Path) -> None:
    stream = tmp_path / "cut.ts"
    Ffmpeg.find().run(ffmpeg.input(str(clip)).output(str(stream), c="copy"))
    stream.write_bytes(stream.read_bytes()[: stream.stat().st_size // 2])
    frames = list(FileSource(str(stream), "gate"))
    assert 5 < len(frames) < 40


def test_a_file_whose_clock_starts_again_goes_on(clip: Path, tmp_path: Path) -> None:
    stream = tmp_path / "one.ts"
    Ffmpeg.find().run(ffmpeg.input(str(clip)).output(str(stream), c="copy"))
    twice = tmp_path / "twice.ts"
    twice.write_bytes(stream.read_bytes() * 2)
    times = [frame.time_s for frame in FileSource(str(twice), "gate")]
    assert len(times) > 70
    assert all(0 < b - a < 0.5 for a, b in itertools.pairwise(times))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        open_source(str(tmp_path / "missing.mp4"), "gate")
    text = tmp_path / "notes.mp4"
    text.write_bytes(os.urandom(5000))
    with pytest.raises(BadInput, match=r"notes\.mp4: is not a video"):
        open_source(str(text), "gate")
    sound = tmp_path / "sound.wav"
    Ffmpeg.find().run(ffmpeg.input("sine=duration=1", f="lavfi").output(str(sound)))
    with pytest.raises(BadInput, match="holds no video"):
        open_source(str(sound), "gate")
    with pytest.raises(BadInput, match=r"rtsp://\*\*\*@127\.0\.0\.1:1/x: cannot be opened \(refused\)"):
        open_source("rtsp://u:secret@127.0.0.1:1/x", "gate")


def test_a_video_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def pictures() -> object:
        yield np.zeros((64, 64, 3), np.uint8)
        raise RuntimeError("the source failed")

    out = tmp_path / "out.mp4"
    with pytest.raises(RuntimeError):
        write_video(pictures(), out, fps=5)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
