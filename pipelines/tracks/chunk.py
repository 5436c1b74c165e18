"""A chunk: some minutes of one camera, as one Parquet file.

One table with a row per thing that was kept, told apart by `kind`, each kind in a row group of its own, so that the
columns which a kind does not use cost nothing:

    frame   `time`, size of the picture, `view` (usable, or why not), `luminance`, `contrast`
    box     `track` (-1: none took it), `class` (COCO), `confidence` (1/200), `x1 y1 x2 y2` (quarter pixels)
    look    `key` of a place that is watched, `detail` (the place, 0..1), `cells`: its 20 x 20 grey thumbnail, as the
            change since the last one of this key (mod 256); without cells the place is watched no longer
    region  `detail`: where people are close together, as JSON; `key` is its number
    score   `key` of the region, `time`, `value`: one window's score
    crowd   `detail`: what was read of people who hide each other, as JSON (see `pipelines.tracks.crowds`)

`frame` counts from 0 in the chunk. Boxes are sorted by track, so that a delta encoding sees each thing move. The schema's
metadata (`gatewatch`) holds the state of the engine before the first frame, and the rules that were in force.
"""

from __future__ import annotations

import io
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import GatewatchError
from pipelines.tracks.crowds import to_text
from pipelines.tracks.rounding import to_steps
from vision.geometry import Box
from vision.looks import GREY, Looks
from vision.moment import Moment

VERSION: Final = 1
_META: Final = b"gatewatch"
_NS: Final = 1_000_000_000

_WORD: Final = pa.dictionary(pa.int32(), pa.string())
SCHEMA: Final = pa.schema(
    [
        ("kind", _WORD),
        ("frame", pa.int32()),
        ("time", pa.timestamp("ns", tz="UTC")),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("view", _WORD),
        ("luminance", pa.int32()),
        ("contrast", pa.int32()),
        ("track", pa.int32()),
        ("class", pa.int32()),
        ("confidence", pa.int32()),
        ("x1", pa.int32()),
        ("y1", pa.int32()),
        ("x2", pa.int32()),
        ("y2", pa.int32()),
        ("key", _WORD),
        ("detail", pa.string()),
        ("value", pa.float64()),
        ("cells", pa.binary()),
    ]
)
_DELTAS: Final = ("frame", "time", "luminance", "contrast", "track", "x1", "y1", "x2", "y2")
_WORDS: Final = ["kind", "view", "key", "detail", "class", "width", "height", "confidence"]


class DamagedChunk(GatewatchError):
    """A file is no chunk, or only part of one."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaceSeen:
    """How the place `key` looks from one frame on; `looks` None: it is watched no longer."""

    key: str
    place: Box
    looks: Looks | None


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One analysed frame. Of `moment` the looks are left out: `looks` holds those that changed. `track_id` (N,) is who took
    each of the moment's detections, -1 for none.
    """

    moment: Moment
    track_id: np.ndarray[Any, np.dtype[np.int64]]
    looks: tuple[PlaceSeen, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a chunk comes from. `state` is the engine's snapshot before the first frame, `rules` the camera's zones and
    rules that were in force, as plain values.
    """

    camera_id: str
    config_version: str
    state: Mapping[str, Any]
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some minutes of one camera, complete in itself."""

    origin: Origin
    frames: Sequence[Kept]

    @property
    def from_s(self) -> float:
        return self.frames[0].moment.time_s


def to_ns(time_s: float) -> int:
    """Whole nanoseconds, from which `to_s` makes the same number again (a double of our time is 238 ns from the next)."""
    whole = int(time_s)
    return whole * _NS + round((time_s - whole) * _NS)


def to_s(time_ns: int) -> float:
    """Inverse of `to_ns`."""
    return time_ns / _NS


def encode(chunk: Chunk) -> bytes:
    """The Parquet file."""
    origin = chunk.origin
    meta = {
        "version": VERSION,
        "camera": origin.camera_id,
        "config_version": origin.config_version,
        "state": origin.state,
        "rules": origin.rules,
    }
    schema = SCHEMA.with_metadata({_META: zlib.compress(json.dumps(meta, separators=(",", ":")).encode(), 9)})
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=9,
        use_dictionary=_WORDS,
        column_encoding=dict.fromkeys(_DELTAS, "DELTA_BINARY_PACKED"),
        write_statistics=False,
        write_page_checksum=True,
    ) as writer:
        for columns in (_frames(chunk), _boxes(chunk), _looks(chunk), *_regions(chunk), _crowds(chunk)):
            if len(columns["frame"]):
                writer.write_table(_table(columns, schema))
    return sink.getvalue()


def _table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    rows = len(columns["frame"])
    return pa.table(
        {f.name: pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type) for f in schema},
        schema=schema,
    )


def _frames(chunk: Chunk) -> dict[str, Any]:
    moments = [kept.moment for kept in chunk.frames]
    return {
        "kind": ["frame"] * len(moments),
        "frame": np.arange(len(moments)),
        "time": np.array([to_ns(m.time_s) for m in moments], np.int64),
        "width": [m.width_px for m in moments],
        "height": [m.height_px for m in moments],
        "view": [m.view.state.value for m in moments],
        "luminance": [round(m.view.luminance) for m in moments],
        "contrast": [round(m.view.contrast) for m in moments],
    }


def _boxes(chunk: Chunk) -> dict[str, Any]:
    steps, confidence = zip(*(to_steps(kept.moment.detections) for kept in chunk.frames), strict=True)
    edges = np.concatenate(steps)
    frame = np.repeat(np.arange(len(steps)), [len(one) for one in steps])
    track = np.concatenate([kept.track_id for kept in chunk.frames])
    # What no track took is mostly the same false box again and again: neighbours in place stand together.
    near = (edges[:, 0] // 64) * 1024 + edges[:, 1] // 64
    order = np.lexsort((frame, np.where(track < 0, near, 0), track))
    return {
        "kind": ["box"] * len(frame),
        "frame": frame[order],
        "track": track[order],
        "class": np.concatenate([kept.moment.detections.class_id for kept in chunk.frames])[order],
        "confidence": np.concatenate(confidence)[order],
        **{name: edges[order, column] for column, name in enumerate(("x1", "y1", "x2", "y2"))},
    }


def _looks(chunk: Chunk) -> dict[str, Any]:
    rows = sorted(
        ((seen.key, frame, seen) for frame, kept in enumerate(chunk.frames) for seen in kept.looks),
        key=lambda row: row[:2],
    )
    cells: list[bytes | None] = []
    before: dict[str, np.ndarray[Any, np.dtype[np.uint8]]] = {}
    for key, _, seen in rows:
        if seen.looks is None:
            before.pop(key, None)
            cells.append(None)
            continue
        # The change since the last looks of the place: small numbers, which pack well.
        grey = np.rint(seen.looks.cells @ GREY).astype(np.uint8)
        cells.append((grey - before.get(key, np.uint8(0))).tobytes())
        before[key] = grey
    return {
        "kind": ["look"] * len(rows),
        "frame": [frame for _, frame, _ in rows],
        "key": [key for key, _, _ in rows],
        "detail": [json.dumps(seen.place) for _, _, seen in rows],
        "cells": cells,
    }


def _regions(chunk: Chunk) -> tuple[dict[str, Any], dict[str, Any]]:
    regions: list[tuple[int, str, str]] = []
    scores: list[tuple[int, str, int, float]] = []
    told_s: dict[int, float] = {}
    for frame, kept in enumerate(chunk.frames):
        for scored in kept.moment.regions:
            r = scored.region
            close = round(r.closeness_heights, 3) if math.isfinite(r.closeness_heights) else None
            times = (round(kept.moment.time_s - at_s, 3) for at_s in (r.since_s, r.seen_s))
            detail = [*r.square_px, *times, r.people, close, round(r.change, 3), round(r.surprise, 3)]
            regions.append((frame, str(r.region_id), json.dumps(detail, separators=(",", ":"))))
            for time_s, score in scored.scores:
                if time_s > told_s.get(r.region_id, float("-inf")):
                    told_s[r.region_id] = time_s
                    scores.append((frame, str(r.region_id), to_ns(time_s), round(score, 5)))
    return (
        {
            "kind": ["region"] * len(regions),
            "frame": [row[0] for row in regions],
            "key": [row[1] for row in regions],
            "detail": [row[2] for row in regions],
        },
        {
            "kind": ["score"] * len(scores),
            "frame": [row[0] for row in scores],
            "key": [row[1] for row in scores],
            "time": np.array([row[2] for row in scores], np.int64),
            "value": [row[3] for row in scores],
        },
    )


def _crowds(chunk: Chunk) -> dict[str, Any]:
    rows = [(frame, kept.moment.crowd) for frame, kept in enumerate(chunk.frames) if kept.moment.crowd is not None]
    return {
        "kind": ["crowd"] * len(rows),
        "frame": [frame for frame, _ in rows],
        "detail": [to_text(crowd) for _, crowd in rows],
    }


def read_table(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """The rows and the metadata of a chunk's file.

    Raises:
        DamagedChunk: it cannot be read, or is no chunk of this version.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            schema = file.schema_arrow
            table = file.read()
        meta: dict[str, Any] = json.loads(zlib.decompress((schema.metadata or {})[_META]))
        if meta["version"] != VERSION:
            raise DamagedChunk(f"{path}: version {meta['version']!r}; this program reads {VERSION}")
        return table.select(SCHEMA.names), meta
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError, zlib.error) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedChunk(f"{path}: cannot be read as tracks ({said})") from error
