"""A camera's video for somebody who looks at it now: copied as it comes, in fragments short enough to feel live."""

from __future__ import annotations

from typing import Final

from pipelines.media.ffmpeg import Ffmpeg, FfmpegProcess, rtsp_input

_TIMEOUT_S: Final = 10.0
#: The recorder's are a second long; a viewer would be that second behind.
_FRAGMENT_S: Final = 0.2


def open_relay(binary: Ffmpeg, url: str) -> FfmpegProcess:
    """Start ffmpeg; it writes fragmented MP4 without sound to its standard output, never re-encoded.

    Call from a thread that outlives it. Raises FfmpegError, OSError.
    """
    source = rtsp_input(url, timeout_s=_TIMEOUT_S, media="video")
    graph = source.node["v:0"].output(
        "pipe:1",
        vcodec="copy",
        an=None,
        format="mp4",
        movflags="frag_keyframe+empty_moov+default_base_moof+skip_trailer",
        frag_duration=round(_FRAGMENT_S * 1_000_000),
        flush_packets=1,
    )
    return binary.spawn(graph, source, stdout=True)
