"""A camera's stream as ffmpeg hands it over: copied, never re-encoded, as one fragmented MP4 without end on a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from dataclasses import dataclass
from typing import Final

from pipelines.media.ffmpeg import Ffmpeg, FfmpegProcess, rtsp_input

#: No bytes for this long: the stream is dead, whatever its connection says.
LIVENESS_S: Final = 15.0
#: A fragment at every key frame and at least this often: what a crash may take.
_FRAGMENT_S: Final = 1.0
_PIPE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What the recorder needs to know of a camera."""

    camera_id: str
    url: str
    segment_s: float = 10.0
    audio: bool = False


def open_stream(binary: Ffmpeg, settings: CameraSettings, *, copy_audio: bool) -> FfmpegProcess:
    """Start ffmpeg for a camera; its output can be read without blocking. With `copy_audio` False sound becomes AAC.

    `prft` boxes carry the camera's own clock from RTCP sender reports. Raises FfmpegError, OSError.
    """
    source = rtsp_input(settings.url, timeout_s=LIVENESS_S, media="video+audio" if settings.audio else "video")
    sound = {"acodec": "copy" if copy_audio else "aac"} if settings.audio else {"an": None}
    sound_too = [source.node["a:0?"]] if settings.audio else []
    graph = source.node["v:0"].output(
        *sound_too,
        "pipe:1",
        vcodec="copy",
        **sound,
        format="mp4",
        movflags="frag_keyframe+empty_moov+default_base_moof+skip_trailer",
        frag_duration=round(_FRAGMENT_S * 1_000_000),
        write_prft="wallclock",
        flush_packets=1,
    )
    process = binary.spawn(graph, source, stdout=True)
    descriptor = process.stdout.fileno()
    os.set_blocking(descriptor, False)
    with contextlib.suppress(PermissionError):  # beyond the user's limit for pipes: the default size does too
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def end_stream(process: FfmpegProcess) -> int:
    """Make an end of it; returns the signal that somebody else had killed it with, 0 when it was not killed."""
    code = process.poll()
    if code is None:
        code = process.wait(0.2)  # at the end of its output it is about to exit
    if code is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    process.stop(grace_s=0.5)
    return -code if code is not None and code < 0 else 0
