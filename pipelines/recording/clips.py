"""Cutting a clip, exact to the second, out of segments that begin at key frames, without re-encoding.

The fragments of one connection lie on one time line, so those that a clip needs are put behind one header again; ffmpeg
then copies them into one MP4 with an edit list that hides what lies between the key frame and the wanted start. Players
that ignore edit lists show up to one key frame interval more at the start.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import ffmpeg

from pipelines.errors import BadInput, Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import holds, ledger
from pipelines.recording.coverage import Gap, Span
from pipelines.recording.fmp4 import BoxReader, Fragment, StreamParser, picture_size
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume, rfc3339, utc
from pipelines.recording.segments import Segment, sync_folder

_CHUNK: Final = 1 << 20
_TIMEOUT_S: Final = 120.0
_FOLLOWS_MS: Final = 200


@dataclass(frozen=True, slots=True)
class Clip:
    """A cut video. `path` is below the volume; `holes` are the gaps inside `span` that it jumps over."""

    incident_id: str
    camera: str
    span: Span
    path: str
    size_bytes: int
    sha256: str
    holes: tuple[Gap, ...] = ()


def segments_of(index: Index, camera: str, span: Span) -> list[Segment]:
    """The segments that hold `span`, in order. Raises Unavailable: nothing of it is recorded (any more)."""
    if span.to_ms <= span.from_ms:
        raise BadInput("a clip must end after it begins")
    found = ledger.segments(index, camera, span)
    if not found:
        raise Unavailable(f"camera {camera}: nothing is recorded from {rfc3339(span.from_ms)} to {rfc3339(span.to_ms)}")
    return found


def cut(binary: Ffmpeg, root: Path, segments: list[Segment], span: Span, target: Path) -> None:
    """Write the video of `span` to `target` (MP4, streams copied). Raises Unavailable, FfmpegError, OSError."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".cut-") as folder:
        pieces: list[Path] = []
        formats: list[bytes] = []
        for number, run in enumerate(runs_of(segments)):
            joined = Path(folder) / f"{number}-run.mp4"
            with joined.open("wb") as out:
                began_ms = join(root, run, span, out)
            if began_ms is None:
                continue
            piece = Path(folder) / f"{number}.mp4"
            last_ms = min(span.to_ms, run[-1].end_ms)
            skip_s = max(0.0, (span.from_ms - began_ms) / 1000)
            length_s = (last_ms - max(span.from_ms, began_ms)) / 1000
            _copy(binary, joined, piece, skip_s, max(length_s, 0.04))
            pieces.append(piece)
            formats.append(_format(joined))
        if not pieces:
            raise Unavailable("no picture lies in that span")
        if len(pieces) == 1:
            final = pieces[0]
        elif len(set(formats)) == 1:
            final = _concatenate(binary, pieces, Path(folder))
        else:
            final = _encode(binary, pieces, max(map(picture_size, formats)), Path(folder))
        final.replace(target)


def runs_of(segments: list[Segment]) -> Iterator[list[Segment]]:
    """Segments of one connection that follow each other without a hole: only there stream time and UTC agree throughout."""
    run: list[Segment] = []
    for segment in segments:
        if run and (segment.run != run[-1].run or abs(segment.start_ms - run[-1].end_ms) > _FOLLOWS_MS):
            yield run
            run = []
        run.append(segment)
    if run:
        yield run


def fragments(path: Path) -> Iterator[tuple[bytes, Fragment | None]]:
    """(header, None) once, then (b"", fragment) for each one in a segment file. Raises OSError, NotMp4."""
    reader, parser = BoxReader(), StreamParser()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for box in reader.feed(chunk):
                if box.kind == b"uuid":
                    continue
                for fragment in parser.feed(box.data):
                    yield b"", fragment
                if box.kind == b"moov" and parser.init is not None:
                    yield parser.init.data, None


def join(root: Path, run: list[Segment], span: Span, out: IO[bytes]) -> int | None:
    """Put what `span` needs of one connection behind one header; returns the UTC (ms) of its first picture, which is the
    key frame at or before the span. None: no picture lies in it. Raises OSError, NotMp4."""
    began_ms: int | None = None
    for segment in run:
        held: list[Fragment] = []  # from the last key frame on, as long as the span has not begun
        first_s: float | None = None
        for header, fragment in fragments(root / segment.path):
            if fragment is None:
                if segment is run[0]:
                    out.write(header)
                continue
            if fragment.start_s is None:
                if began_ms is not None:
                    out.write(fragment.data)
                continue
            first_s = fragment.start_s if first_s is None else first_s
            at_ms = segment.start_ms + round((fragment.start_s - first_s) * 1000)
            if at_ms >= span.to_ms:
                break
            if began_ms is not None:
                out.write(fragment.data)
                continue
            held = [fragment] if fragment.key else [*held, fragment]
            if at_ms + round(fragment.duration_s * 1000) > span.from_ms:
                began_ms = segment.start_ms + round(((held[0].start_s or 0.0) - first_s) * 1000)
                out.write(b"".join(item.data for item in held))
    return began_ms


def _copy(binary: Ffmpeg, source: Path, target: Path, skip_s: float, length_s: float) -> None:
    graph = ffmpeg.input(str(source), ss=f"{skip_s:.3f}").output(
        str(target), t=f"{length_s:.3f}", c="copy", map="0", format="mp4", movflags="+faststart"
    )
    binary.run(graph, timeout_s=_TIMEOUT_S)


def _concatenate(binary: Ffmpeg, pieces: list[Path], folder: Path) -> Path:
    listing, target = folder / "pieces.txt", folder / "whole.mp4"
    listing.write_text("ffconcat version 1.0\n" + "".join(f"file '{piece.name}'\n" for piece in pieces))
    graph = ffmpeg.input(str(listing), format="concat", safe=0).output(
        str(target), c="copy", map="0", format="mp4", movflags="+faststart"
    )
    binary.run(graph, timeout_s=_TIMEOUT_S)
    return target


def _format(path: Path) -> bytes:
    """What a decoder must know before the first picture."""
    parser = StreamParser()
    with path.open("rb") as file:
        while parser.init is None and (chunk := file.read(_CHUNK)):
            parser.feed(chunk)
    return parser.init.video.description if parser.init is not None else b""


def _encode(binary: Ffmpeg, pieces: list[Path], size: tuple[int, int], folder: Path) -> Path:
    """One track holds one codec: when the camera changed its codec or size between two connections, the clip (never the
    segments) is encoded anew, without sound, at one size (width, height)."""
    fitted = [ffmpeg.input(str(piece)).video.filter("scale", *size).filter("setsar", 1) for piece in pieces]
    target = folder / "whole.mp4"
    options = {"vcodec": "libx264", "preset": "veryfast", "crf": 18, "pix_fmt": "yuv420p"}
    graph = ffmpeg.concat(*fitted, v=1, a=0).output(str(target), format="mp4", movflags="+faststart", **options)
    binary.run(graph, timeout_s=_TIMEOUT_S)
    return target


def incident_clip(
    index: Index, volume: Volume, binary: Ffmpeg, *, incident_id: str, camera: str, span: Span, now_ms: int
) -> Clip:
    """The clip of an incident: `span` is from first to last moment with the seconds before and after. Made once; its
    footage is kept longer from now on. Raises Unavailable: not recorded (yet, or any more)."""
    known = find_clip(index, incident_id)
    if known is not None and known.span == span and (volume.root / known.path).exists():
        return known
    records = Journal(volume.journal / "ledger.jsonl")
    holds.mark_incident(index, incident_id, camera, span, records, now_ms)
    newest = ledger.last_end_ms(index, camera) or 0
    if newest < span.to_ms and now_ms < span.to_ms + 60_000:
        raise Unavailable(f"camera {camera}: recorded up to {rfc3339(newest)} yet; the clip ends {rfc3339(span.to_ms)}")
    found = segments_of(index, camera, span)
    relative = f"clips/{camera}/{utc(span.from_ms):%Y/%m/%d}/{_safe(incident_id)}.mp4"
    target = volume.root / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    cut(binary, volume.root, found, span, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    sync_folder(target.parent)
    clip = Clip(
        incident_id,
        camera,
        span,
        relative,
        target.stat().st_size,
        digest,
        ledger.replayable(index, camera, span, now_ms).gaps,
    )
    row = [incident_id, camera, *span, relative, clip.size_bytes, digest, now_ms]
    records.append(at_ms=now_ms, action="clip", actor="recorder", reason="incident", data={"row": row})
    with index.transaction() as cursor:
        remember(cursor, row)
    return clip


def remember(cursor: sqlite3.Connection, row: Sequence[object]) -> None:
    """A clip's row, as the index and the journal have it; inside a transaction."""
    cursor.execute("INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?, ?, ?, ?)", tuple(row))


def _safe(incident_id: str) -> str:
    name = "".join(letter for letter in incident_id if letter.isalnum() or letter in "-_")
    if not name:
        raise BadInput(f"incident {incident_id!r} has no usable id")
    return name[:100]


def _clip(row: tuple[str, str, int, int, str, int, str]) -> Clip:
    return Clip(row[0], row[1], Span(row[2], row[3]), row[4], row[5], row[6])


_COLUMNS: Final = "incident_id, camera, from_ms, to_ms, path, size_bytes, sha256"


def find_clip(index: Index, incident_id: str) -> Clip | None:
    """From the incident to its clip."""
    row = index.read(f"SELECT {_COLUMNS} FROM clips WHERE incident_id = ?", (incident_id,)).fetchone()
    return None if row is None else _clip(row)


def clips_between(index: Index, camera: str, span: Span) -> list[Clip]:
    """From the time line to the clips on it."""
    rows = index.read(
        f"SELECT {_COLUMNS} FROM clips WHERE camera = ? AND from_ms < ? AND to_ms > ? ORDER BY from_ms",
        (camera, span.to_ms, span.from_ms),
    )
    return [_clip(row) for row in rows.fetchall()]


def remove_leftovers(volume: Volume) -> None:
    """Unfinished cuts that a crash left."""
    for folder in volume.clips.rglob(".cut-*"):
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()
