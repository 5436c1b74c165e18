"""Reading fragmented MP4 as it arrives."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pipelines.media.ffmpeg import find_binary
from pipelines.recording.fmp4 import NotMp4, StreamParser

if TYPE_CHECKING:
    from conftest import Stream


@pytest.mark.parametrize("size", [1, 7, 4096, 10**9])
def test_fragments_are_the_same_however_the_bytes_arrive(stream: Stream, size: int) -> None:
    parser = StreamParser()
    data = stream.data if size > 1 else stream.data[: len(stream.init.data) + 2 * len(stream.fragments[0].data)]
    fragments = [f for i in range(0, len(data), size) for f in parser.feed(data[i : i + size])]
    assert parser.init == stream.init
    assert fragments == stream.fragments[: len(fragments)]
    assert fragments


def test_every_byte_of_the_stream_is_in_a_fragment_or_the_header(stream: Stream) -> None:
    assert stream.init.data + b"".join(fragment.data for fragment in stream.fragments) == stream.data


def test_times_and_key_frames(stream: Stream) -> None:
    assert [fragment.key for fragment in stream.fragments] == [True] * 12
    assert [fragment.start_s for fragment in stream.fragments] == pytest.approx(list(range(12)))
    assert stream.fragments[0].duration_s == pytest.approx(1.0)
    assert stream.init.video.codec == "avc1"
    assert not any(fragment.holes for fragment in stream.fragments)


def test_a_jump_of_the_streams_own_time_is_a_hole() -> None:
    command = [
        find_binary(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=10",
    ]
    command += ["-vf", "setpts='if(gte(N,25),PTS+7/TB,PTS)'", "-fps_mode", "passthrough", "-frames:v", "50"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-f", "mp4"]
    command += ["-movflags", "frag_keyframe+empty_moov+default_base_moof", "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    holes = [hole for fragment in StreamParser().feed(data) for hole in fragment.holes]
    assert len(holes) == 1
    assert holes[0] == pytest.approx((2.4, 9.5), abs=0.11)


@pytest.mark.parametrize("junk", [b"RTSP/1.0 404 Not Found\r\n\r\n", b"\x00" * 64, b"\xff" * 64])
def test_what_is_not_mp4_is_refused(junk: bytes) -> None:
    with pytest.raises(NotMp4):
        StreamParser().feed(junk)


def test_media_before_the_header_is_refused(stream: Stream) -> None:
    with pytest.raises(NotMp4, match="before the header"):
        StreamParser().feed(stream.fragments[0].data)
