"""Live video of a real RTSP camera for several viewers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from console.livevideo import LiveVideos, Viewer
from pipelines.clock import SystemClock
from pipelines.errors import Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording.fmp4 import Fragment, StreamParser
from pipelines.samples import library
from pipelines.samples.cameras import SampleCameras
from pipelines.testing import until


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with SampleCameras(library.camera_list(1), library.streams_dir()) as served:
        yield served.cameras[0].main_url


@pytest.fixture
def videos() -> Iterator[LiveVideos]:
    made = LiveVideos(Ffmpeg.find, SystemClock(), linger_s=3.0)
    yield made
    made.close()


async def pictures_of(viewer: Viewer, least_s: float) -> list[Fragment]:
    """Fragments until they cover `least_s` of video."""
    parser, found = StreamParser(), []
    async for chunk in viewer.chunks():
        found += parser.feed(chunk)
        if sum(fragment.duration_s for fragment in found) >= least_s:
            break
    return found


def test_two_viewers_share_one_copy_and_the_last_one_ends_it(url: str, videos: LiveVideos) -> None:
    assert videos.running == 0
    assert videos.codec(url).startswith("avc1.")

    async def look() -> tuple[list[Fragment], list[Fragment]]:
        loop = asyncio.get_running_loop()
        first = videos.watch(url, loop)
        assert first is not None
        began = await asyncio.wait_for(pictures_of(first, 1.0), 30)
        second = videos.watch(url, loop)
        assert second is not None
        joined = await asyncio.wait_for(pictures_of(second, 1.0), 30)
        assert videos.running == 1
        videos.leave(url, first)
        videos.leave(url, second)
        return began, joined

    began, joined = asyncio.run(look())
    for fragments in (began, joined):
        assert fragments[0].key, "a viewer begins where a decoder can"
        times = [fragment.start_s for fragment in fragments if fragment.start_s is not None]
        assert times == sorted(times)
        assert all(
            later.start_s == pytest.approx(earlier.end_s, abs=0.02) for earlier, later in itertools.pairwise(fragments)
        )
    until(lambda: videos.running == 0, 90, "the copy ends after its last viewer")


def test_a_viewer_that_takes_nothing_is_sent_away_and_the_other_stays(
    url: str, videos: LiveVideos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.livevideo._BEHIND_BYTES", 500_000)
    videos.codec(url)

    async def look() -> None:
        loop = asyncio.get_running_loop()
        slow, quick = videos.watch(url, loop), videos.watch(url, loop)
        assert slow is not None
        assert quick is not None
        await asyncio.wait_for(pictures_of(quick, 5.0), 60)
        taken = [chunk async for chunk in slow.chunks()]  # ends: it was sent away
        assert sum(map(len, taken)) < 1_500_000
        videos.leave(url, quick)

    asyncio.run(asyncio.wait_for(look(), 90))


def test_a_camera_that_is_not_there_is_told_so_without_its_address(videos: LiveVideos) -> None:
    with pytest.raises(Unavailable) as refusal:
        videos.codec("rtsp://guard:secret@127.0.0.1:9/none")
    assert "secret" not in str(refusal.value)
