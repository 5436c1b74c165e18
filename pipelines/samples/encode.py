"""Sample clips as a camera would send them: H.264, main and sub stream, at the clip's own rate."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ffmpeg

from pipelines.media.ffmpeg import Ffmpeg
from pipelines.samples.pull import sha256_of

FPS: Final = 10
#: Part of each stamp: raise it when the way of encoding changes.
_RECIPE: Final = 1


@dataclass(frozen=True, slots=True)
class Profile:
    """One stream of a sample camera. Groups of pictures are closed, 2 s long, without B pictures, as cameras send them."""

    name: str
    width_px: int
    height_px: int
    crf: int


MAIN: Final = Profile("main", 768, 576, 20)
SUB: Final = Profile("sub", 640, 480, 21)
PROFILES: Final = (MAIN, SUB)


def _fresh(out: Path, stamp: str) -> bool:
    note = out.with_suffix(".json")
    try:
        return out.is_file() and json.loads(note.read_text())["stamp"] == stamp
    except (OSError, ValueError, KeyError):
        return False


def encode(source: Path, out: Path, profile: Profile, ffmpeg_binary: Ffmpeg) -> Path:
    """`source` as `profile` in `out` (MP4 that starts playing at once); nothing is done when it is there already.

    Raises:
        FfmpegError: the encoder failed. No half file is left under the name `out`.
    """
    stamp = f"{_RECIPE} {sha256_of(source)} {profile}"
    if _fresh(out, stamp):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.stem}.{os.getpid()}.part.mp4")
    graph = (
        ffmpeg.input(str(source))
        .filter("scale", profile.width_px, profile.height_px, flags="area")
        .output(
            str(part),
            vcodec="libx264",
            preset="veryfast",
            crf=profile.crf,
            pix_fmt="yuv420p",
            bf=0,
            g=2 * FPS,
            keyint_min=2 * FPS,
            sc_threshold=0,
            flags="+cgop",
            movflags="+faststart",
            threads=2,
            an=None,
        )
    )
    try:
        ffmpeg_binary.run(graph, nice=True)
        os.replace(part, out)  # noqa: PTH105 - atomic, and overwrites
    finally:
        part.unlink(missing_ok=True)
    out.with_suffix(".json").write_text(json.dumps({"stamp": stamp}))
    return out
