"""One picture out of what is recorded: the decoded one nearest to a moment, at full resolution, with its own time.

Only closed segments that still are what their row says are looked into: evidence is cut from nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from pipelines.errors import GatewatchError, Unavailable
from pipelines.recording import ledger
from pipelines.recording.clips import fragments, join
from pipelines.recording.coverage import Span
from pipelines.recording.fmp4 import NotMp4
from pipelines.recording.index import Index
from pipelines.recording.layout import rfc3339
from pipelines.recording.segments import Segment, sha256_file

#: A picture farther away than this shows another moment.
FARTHEST_MS: Final = 500
#: After the longest that a segment grows, the recorder has had this long to close it and say so; a camera that sends key
#: frames rarely lets one grow further, but never for so long as the second.
_CLOSING_MS: Final = 60_000
_GROWING_MS: Final = 900_000


class NoStill(GatewatchError):
    """There is no picture of that moment, and there will be none. `reason` is one word: `gap` (nothing was recorded),
    `not_recorded` (nothing of that camera ever was, on this volume) or `damaged` (it cannot be decoded, or is not what was
    recorded)."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Still:
    """`pixels` (H, W, 3) uint8 BGR as decoded; `at_ms` its own time (UTC); `segment` what it was cut from."""

    pixels: npt.NDArray[np.uint8]
    at_ms: int
    segment: Segment


def nearest(
    index: Index,
    root: Path,
    camera: str,
    at_ms: int,
    now_ms: int,
    *,
    segment_ms: int,
    decoding: Callable[[], object],
) -> Still:
    """The picture nearest to `at_ms`, at most `FARTHEST_MS` away. `segment_ms`: how long segments grow; `decoding` is called
    before a decoder begins, which what cameras send may end the process with.

    Raises: Unavailable: the segment is not closed yet. NoStill: there is no such picture.
    """
    span = Span(at_ms - FARTHEST_MS, at_ms + FARTHEST_MS)
    found = ledger.segments(index, camera, span)
    # A nearer picture may be in a segment that is still being written; a hole may only be one whose segment is not in yet.
    growing = ledger.accounted_until(index, camera, now_ms) < span.to_ms and now_ms < at_ms + _GROWING_MS
    if growing or (not _covers(found, at_ms) and now_ms < at_ms + 2 * segment_ms + _CLOSING_MS):
        raise Unavailable(f"camera {camera}: {rfc3339(at_ms)} is not in a closed segment yet")
    sound = [segment for segment in found if _sound(root, segment)]
    decoding()
    best: tuple[int, int, Any, Segment] | None = None
    for segment in sound:
        for picture_ms, picture in _pictures(root, segment, span):
            off_ms = abs(picture_ms - at_ms)
            if off_ms <= FARTHEST_MS and (best is None or off_ms < best[0]):
                best = (off_ms, picture_ms, picture, segment)
    if best is None:
        raise _why_not(index, camera, span, at_ms, now_ms, lost=len(found) - len(sound), seen=bool(sound))
    _, picture_ms, picture, segment = best
    try:
        pixels = np.ascontiguousarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)
    except (av.FFmpegError, ValueError) as error:
        raise NoStill("damaged", f"the picture cannot be converted: {error}") from error
    return Still(pixels, picture_ms, segment)


def _covers(found: list[Segment], at_ms: int) -> bool:
    return any(segment.start_ms <= at_ms < segment.end_ms for segment in found)


def _sound(root: Path, segment: Segment) -> bool:
    try:
        return sha256_file(root / segment.path) == segment.sha256
    except OSError:
        return False


def _pictures(root: Path, segment: Segment, span: Span) -> Iterator[tuple[int, Any]]:
    """(UTC ms, decoded picture) from the key frame before `span` to its end; none that a decoder had to guess parts of."""
    joined = io.BytesIO()
    try:
        if join(root, [segment], span, joined) is None:
            return
        # A segment's start is the time of its first picture, which may be shown later than it is decoded.
        first = _first_pts(root / segment.path)
        joined.seek(0)
        with av.open(joined, format="mp4") as file:
            for pts_s, picture in _decoded(file):
                picture_ms = segment.start_ms + round((pts_s - first) * 1000)
                if picture is not None:
                    yield picture_ms, picture
                if picture_ms >= span.to_ms:
                    return
    except (av.FFmpegError, NotMp4, OSError, LookupError):
        return  # the caller finds nothing near enough, and says that it is damaged


def _first_pts(path: Path) -> float:
    """When the first picture of a segment is shown, in seconds of the stream's own time. Raises LookupError: it has none."""
    header = b""
    for head, fragment in fragments(path):
        if fragment is None:
            header = head
        elif fragment.start_s is not None:
            file: Any
            with av.open(io.BytesIO(header + fragment.data), format="mp4") as file:
                for packet in file.demux(file.streams.video[0]):
                    if packet.pts is not None:
                        return float(packet.pts * packet.time_base)
            break
    raise LookupError(f"{path.name} has no picture")


def _decoded(file: Any) -> Iterator[tuple[float, Any]]:
    """(its time in the stream, picture); None for a picture that cannot be relied on."""
    video = file.streams.video[0]
    video.codec_context.thread_count = 1
    broken = False  # until the next key frame, what comes builds upon a hole
    for packet in file.demux(video):
        try:
            pictures = packet.decode()
        except av.FFmpegError:
            broken = True
            continue
        for picture in pictures:
            if picture.pts is not None:
                broken = picture.is_corrupt or (broken and not picture.key_frame)
                yield float(picture.pts * video.time_base), None if broken else picture


def _why_not(index: Index, camera: str, span: Span, at_ms: int, now_ms: int, *, lost: int, seen: bool) -> NoStill:
    if camera not in ledger.cameras(index):
        return NoStill("not_recorded", f"nothing of camera {camera} is recorded on this volume")
    if lost:
        return NoStill("damaged", "the segment is missing, or is not what was recorded")
    gaps = ledger.replayable(index, camera, span, now_ms).gaps
    here = next((gap for gap in gaps if gap.from_ms <= at_ms < gap.to_ms), None)
    if here is not None:
        return NoStill("gap", " ".join(filter(None, (f"{here.cause.value}:", here.detail))).rstrip(":"))
    if seen:
        return NoStill("damaged", "the recorded stream cannot be decoded there")
    return NoStill("gap", "unknown")
