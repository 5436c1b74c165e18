"""From a chunk's file back to moments."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.tracks.chunk import Origin
from pipelines.tracks.crowds import from_text
from pipelines.tracks.parquet import DamagedChunk, read_table, to_s
from pipelines.tracks.rounding import from_steps
from vision.aggression import ScoredRegion
from vision.interaction import Region
from vision.looks import SIDE, Looks
from vision.moment import Moment, PlacedLooks
from vision.view import View, ViewState

_SCORES_KEPT_S: Final = 10.0  # as long as the watch of regions keeps them

Rows = Mapping[str, np.ndarray[Any, Any]]


class ChunkReader:
    """One file. `moments` are those that were judged, in order of time."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedChunk."""
        table, meta = read_table(path)
        self._path = path
        try:
            self.origin = Origin(meta["camera"], meta["config_version"], meta["state"], meta["rules"])
            kinds = np.array(table.column("kind").to_pylist(), dtype=object)
            self._rows = {
                kind: table.filter(kinds == kind) for kind in ("frame", "box", "look", "region", "score", "crowd")
            }
            self._times = [to_s(int(t)) for t in self._rows["frame"].column("time").cast("int64").to_pylist()]
            self._moments = list(self._read())
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DamagedChunk(f"{path}: cannot be read as tracks ({error!r})") from error
        if not self._moments:
            raise DamagedChunk(f"{path}: holds no frame")

    @property
    def from_s(self) -> float:
        return self._times[0]

    @property
    def to_s(self) -> float:
        return self._times[-1]

    @property
    def moments(self) -> list[Moment]:
        return self._moments

    def _numbers(self, kind: str, *names: str) -> Rows:
        return {name: self._rows[kind].column(name).to_numpy() for name in names}

    def _read(self) -> Iterator[Moment]:
        frames = self._rows["frame"].drop_columns(["time"]).to_pylist()
        boxes = self._numbers("box", "frame", "class", "confidence", "x1", "y1", "x2", "y2")
        edges = np.stack([boxes[name] for name in ("x1", "y1", "x2", "y2")], axis=1).astype(np.int64)
        confidence, class_id = boxes["confidence"].astype(np.int64), boxes["class"].astype(np.int64)
        order = np.lexsort((confidence, *edges.T[::-1], class_id, boxes["frame"]))
        borders = np.searchsorted(boxes["frame"][order], np.arange(len(frames) + 1))
        looks, regions = self._looks(), self._regions()
        crowds = {row["frame"]: from_text(row["detail"]) for row in self._rows["crowd"].to_pylist()}
        seen: dict[str, PlacedLooks] = {}
        for index, frame in enumerate(frames):
            rows = order[borders[index] : borders[index + 1]]
            for key, placed in looks.get(index, ()):
                if placed is None:
                    seen.pop(key, None)
                else:
                    seen[key] = placed
            yield Moment(
                self.origin.camera_id,
                self._times[index],
                frame["width"],
                frame["height"],
                from_steps(edges[rows], confidence[rows], class_id[rows]),
                View(ViewState(frame["view"]), float(frame["luminance"]), float(frame["contrast"])),
                tuple(regions.get(index, ())),
                dict(seen),
                crowds.get(index),
            )

    def _looks(self) -> dict[int, list[tuple[str, PlacedLooks | None]]]:
        found: dict[int, list[tuple[str, PlacedLooks | None]]] = defaultdict(list)
        before: dict[str, np.ndarray[Any, np.dtype[np.uint8]]] = {}
        for row in self._rows["look"].to_pylist():  # by key, then in order of time
            key = row["key"]
            if row["cells"] is None:
                before.pop(key, None)
                found[row["frame"]].append((key, None))
                continue
            change = np.frombuffer(row["cells"], np.uint8).reshape(SIDE, SIDE)
            before[key] = np.asarray(before.get(key, np.uint8(0)) + change, np.uint8)
            x1, y1, x2, y2 = json.loads(row["detail"])
            found[row["frame"]].append(
                (key, PlacedLooks((x1, y1, x2, y2), Looks(np.repeat(before[key][..., None], 3, axis=2))))
            )
        return found

    def _regions(self) -> dict[int, list[ScoredRegion]]:
        new: dict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
        score = self._rows["score"]
        times = score.column("time").cast("int64").to_pylist()
        for row, time_ns in zip(score.drop_columns(["time"]).to_pylist(), times, strict=True):
            new[row["frame"], row["key"]].append((to_s(time_ns), row["value"]))
        found: dict[int, list[ScoredRegion]] = defaultdict(list)
        past: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for row in self._rows["region"].to_pylist():
            index, key = row["frame"], row["key"]
            now_s = self._times[index]
            past[key] = [one for one in (*past[key], *new[index, key]) if now_s - one[0] <= _SCORES_KEPT_S]
            x, y, side, since_ago_s, seen_ago_s, people, closeness, change, surprise = json.loads(row["detail"])
            apart = math.inf if closeness is None else closeness
            region = Region(
                int(key), (x, y, side), now_s - since_ago_s, now_s - seen_ago_s, people, apart, change, surprise
            )
            scores = tuple(past[key])
            found[index].append(ScoredRegion(region, scores[-1][1] if scores else None, scores))
        return found
