"""Clips: exact to the second, found from the incident and from the time line, and never of what is not recorded yet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from pipelines.errors import Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording.clips import clips_between, cut, find_clip, incident_clip, segments_of
from pipelines.recording.coverage import Span
from pipelines.recording.holds import marks
from pipelines.recording.testing import pictures

if TYPE_CHECKING:
    from conftest import FilledVolume


MORNING_MS = 1_772_438_400_000


def seconds(path: Path) -> float:
    with av.open(str(path)) as file:
        assert file.duration is not None
        return file.duration / 1_000_000


@pytest.mark.parametrize(("from_s", "to_s"), [(0.0, 2.0), (3.0, 7.0), (2.5, 9.5), (5.3, 5.9), (0.0, 12.0)])
def test_a_clip_is_exact_although_segments_begin_at_key_frames(
    filled: FilledVolume, stream: object, tmp_path: Path, from_s: float, to_s: float
) -> None:
    filled.add(count=6)
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(stream.data)  # type: ignore[attr-defined]
    span = Span(MORNING_MS + round(from_s * 1000), MORNING_MS + round(to_s * 1000))
    target = tmp_path / "clip.mp4"
    cut(Ffmpeg.find(), filled.volume.root, segments_of(filled.index, "gate", span), span, target)
    expected, shown = pictures(whole), pictures(target)
    assert seconds(target) == pytest.approx(to_s - from_s, abs=0.11)
    first = round(from_s * 10)
    assert np.array_equal(shown[0], expected[first])
    assert len(shown) == pytest.approx((to_s - from_s) * 10, abs=1)


def test_a_clip_over_a_reconnection_jumps_over_the_hole(filled: FilledVolume, tmp_path: Path) -> None:
    filled.add(count=2)
    filled.add(count=2, start_ms=MORNING_MS + 14_000, run="ffffffff")
    span = Span(MORNING_MS + 2_000, MORNING_MS + 16_000)
    target = tmp_path / "clip.mp4"
    cut(Ffmpeg.find(), filled.volume.root, segments_of(filled.index, "gate", span), span, target)
    assert seconds(target) == pytest.approx(4.0, abs=0.25)


def test_an_incidents_clip_is_found_from_the_incident_and_from_the_time_line(filled: FilledVolume) -> None:
    filled.add(count=6)
    span = Span(MORNING_MS + 3_000, MORNING_MS + 8_000)
    common = {"incident_id": "a-1", "camera": "gate", "span": span, "now_ms": MORNING_MS + 60_000}
    clip = incident_clip(filled.index, filled.volume, Ffmpeg.find(), **common)  # type: ignore[arg-type]
    assert find_clip(filled.index, "a-1") == clip
    assert clips_between(filled.index, "gate", Span(MORNING_MS, MORNING_MS + 3_500)) == [clip]
    assert clips_between(filled.index, "gate", Span(MORNING_MS, MORNING_MS + 3_000)) == []
    assert marks(filled.index) == {"gate": [span]}
    assert hashlib.sha256((filled.volume.root / clip.path).read_bytes()).hexdigest() == clip.sha256
    assert incident_clip(filled.index, filled.volume, Ffmpeg.find(), **common) == clip  # type: ignore[arg-type]


def test_a_clip_whose_end_is_not_recorded_yet_waits(filled: FilledVolume) -> None:
    filled.add(count=3)
    span = Span(MORNING_MS + 3_000, MORNING_MS + 9_000)
    with pytest.raises(Unavailable, match="recorded up to"):
        incident_clip(
            filled.index, filled.volume, Ffmpeg.find(), incident_id="a", camera="gate", span=span, now_ms=MORNING_MS
        )
    with pytest.raises(Unavailable, match="nothing is recorded"):
        segments_of(filled.index, "yard", span)
