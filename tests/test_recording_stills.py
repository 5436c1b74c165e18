"""Which recorded picture is the nearest, whatever it is encoded with; and what is not decoded is not waited for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.evidence.testing import number_on
from pipelines.recording.stills import nearest

if TYPE_CHECKING:
    from conftest import FilledVolume, Stream

MORNING_MS = 1_772_438_400_000
#: Pictures are shown in another order than they are decoded, and ones before a key frame build upon it.
OPEN_GROUPS = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=10", "-tag:v", "hvc1")


@pytest.mark.parametrize(
    ("codec", "cut"),
    [
        (OPEN_GROUPS, "frag_keyframe"),
        (("-c:v", "libx264", "-preset", "veryfast", "-bf", "3"), "frag_keyframe"),
        (("-c:v", "libx264", "-preset", "ultrafast"), "frag_every_frame"),
    ],
    ids=["h265 with open groups", "h264 with b pictures", "a fragment a picture"],
)
def test_the_picture_of_a_moment_is_the_one_that_was_shown_then(
    tmp_path: Path, filled: FilledVolume, counted: Callable[..., Stream], codec: tuple[str, ...], cut: str
) -> None:
    stream = counted(640, 360, codec, cut)
    volume = type(filled)(tmp_path / "large", stream)
    volume.add(count=1, fragments=len(stream.fragments))
    for at_ms, number in ((0, 0), (340, 3), (1960, 20), (3340, 33), (5060, 51), (7900, 79)):
        found = nearest(
            volume.index, volume.volume.root, "gate", MORNING_MS + at_ms, MORNING_MS + 1_000_000,
            segment_ms=8000, decoding=int,
        )  # fmt: skip
        assert (number_on(found.pixels, 640, 360), found.at_ms) == (number, MORNING_MS + 100 * number)
        assert found.pixels.shape == (360, 640, 3)
