"""A chunk as one Parquet file.

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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import GatewatchError
from pipelines.tracks.chunk import Chunk
from pipelines.tracks.crowds import to_text
from pipelines.tracks.packed import BOX, VIEWS

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
        for columns in (_frames(chunk), _boxes(chunk), _looks(chunk), _regions(chunk), _scores(chunk), _crowds(chunk)):
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
    rows = chunk.frames.frames()
    return {
        "kind": ["frame"] * len(rows),
        "frame": np.arange(len(rows)),
        "time": np.array([to_ns(time_s) for time_s in rows["time_s"].tolist()], np.int64),
        "view": [VIEWS[number] for number in rows["view"].tolist()],
        **{name: rows[name] for name in ("width", "height", "luminance", "contrast")},
    }


def _boxes(chunk: Chunk) -> dict[str, Any]:
    boxes = chunk.frames.boxes()
    rows = {name: boxes[name].astype(np.int64) for name in BOX}
    frame = np.repeat(np.arange(len(chunk.frames)), chunk.frames.frames()["boxes"])
    # What no track took is mostly the same false box again and again: neighbours in place stand together.
    near = (rows["x1"] // 64) * 1024 + rows["y1"] // 64
    order = np.lexsort((frame, np.where(rows["track"] < 0, near, 0), rows["track"]))
    return {
        "kind": ["box"] * len(frame),
        "frame": frame[order],
        **{name: column[order] for name, column in rows.items()},
    }


def _looks(chunk: Chunk) -> dict[str, Any]:
    rows = sorted(chunk.frames.looks, key=lambda seen: (seen.key, seen.frame))
    cells: list[bytes | None] = []
    before: dict[str, np.ndarray[Any, np.dtype[np.uint8]]] = {}
    for seen in rows:
        if seen.grey is None:
            before.pop(seen.key, None)
            cells.append(None)
            continue
        # The change since the last looks of the place: small numbers, which pack well.
        grey = np.frombuffer(seen.grey, np.uint8)
        cells.append((grey - before.get(seen.key, np.uint8(0))).tobytes())
        before[seen.key] = grey
    return {
        "kind": ["look"] * len(rows),
        "frame": [seen.frame for seen in rows],
        "key": [seen.key for seen in rows],
        "detail": [json.dumps(seen.place) for seen in rows],
        "cells": cells,
    }


def _regions(chunk: Chunk) -> dict[str, Any]:
    times = chunk.frames.frames()["time_s"].tolist()
    rows = chunk.frames.regions()
    details: list[str] = []
    for at, _, x, y, side, since_s, seen_s, people, closeness, change, surprise in rows:
        ago = (round(times[int(at)] - time_s, 3) for time_s in (since_s, seen_s))
        close = round(closeness, 3) if math.isfinite(closeness) else None
        detail = [x, y, side, *ago, int(people), close, round(change, 3), round(surprise, 3)]
        details.append(json.dumps(detail, separators=(",", ":")))
    return {
        "kind": ["region"] * len(rows),
        "frame": [int(row[0]) for row in rows],
        "key": [str(int(row[1])) for row in rows],
        "detail": details,
    }


def _scores(chunk: Chunk) -> dict[str, Any]:
    rows = chunk.frames.scores()
    return {
        "kind": ["score"] * len(rows),
        "frame": [int(row[0]) for row in rows],
        "key": [str(int(row[1])) for row in rows],
        "time": np.array([to_ns(row[2]) for row in rows], np.int64),
        "value": [round(row[3], 5) for row in rows],
    }


def _crowds(chunk: Chunk) -> dict[str, Any]:
    rows = chunk.frames.crowds
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
