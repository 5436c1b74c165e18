"""Ordinary footage, on which nothing happens: whatever a rule raises on it is false. How often that can be at most."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from pipelines.config.build import camera_spec
from pipelines.config.quantities import parse_seconds
from pipelines.config.schema import Config
from pipelines.errors import BadInput
from pipelines.evaluating import drawn_bays
from pipelines.media.file import open_source
from pipelines.paths import samples_dir
from pipelines.samples.staged.scene import START_S
from pipelines.samples.staged.scenes_people import GROUND
from vision.crowd_watch import CrowdReader
from vision.detection import Detector
from vision.engine import Engine
from vision.evaluation.poisson import rate_bound
from vision.frame import Frame

_CAMERA: Final = "ordinary"
_HOURS_PER_DAY: Final = 24.0
_WHOLE: Final = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
#: A car in a bay stands, to a rule, where its box ends: at the edge of the bay or a little before it.
_BAY_GROWN: Final = 1.3
_LOT_EVERY_S: Final = 300.0
#: What a site would ask for; on clips of a few seconds only what can be fulfilled in them says anything.
_PARKING: Final[Mapping[str, Any]] = {"kind": "illegal_parking", "zone": "street", "after": "30s"}
_CROWDING: Final[Mapping[str, Any]] = {"kind": "crowding", "zone": "everywhere", "people": 20, "for": "30s"}
#: The campus road has ground points.
_DENSITY: Final[Mapping[str, Any]] = {**_CROWDING, "density": 2.0}
_QUICK_CROWDING: Final[Mapping[str, Any]] = {**_CROWDING, "for": "2s"}


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures of one camera with what its administrator would have drawn. `every_s`: the time between two pictures where they
    carry none; each picture then stands for as long as that, and is counted so.
    """

    name: str
    pictures: Callable[[], Iterable[Frame]]
    rules: tuple[Mapping[str, Any], ...]
    zones: Mapping[str, Any] = field(default_factory=lambda: {"everywhere": {"polygon": _WHOLE}})
    masks: Sequence[Any] = ()
    ground: Sequence[Any] = ()


def ordinary(data: Path, detector: Detector, crowds: CrowdReader | None = None, fps: float = 5.0) -> dict[str, Any]:
    """Each source once; `rules` sums up by kind of incident how long it could have been raised, how often it was, and the bound.

    Raises:
        BadInput: `data` holds nothing of it, or a picture cannot be read.
    """
    rows = [_play(source, detector, crowds) for source in sources(data, fps)]
    if not rows:
        raise BadInput(f"{data}: holds neither pklot/empty nor fight-dev, and there is no vtest.avi")
    kinds = sorted({kind for row in rows for kind in row["hours"]})
    return {"detector": detector.name, "rules": [_sum(kind, rows) for kind in kinds], "sources": _groups(rows)}


def sources(data: Path, fps: float) -> Iterator[Source]:
    """Everything ordinary below `data`, and the campus road."""
    road = samples_dir() / "vtest.avi"
    if road.is_file():
        lines = [
            [0.82, 0.05],
            [1.0, 0.05],
            [1.0, 0.25],
            [0.82, 0.25],
        ]  # the van and the car that stand there all the time
        yield Source(
            "vtest.avi", lambda: open_source(str(road), _CAMERA, fps), (_PARKING, _DENSITY), masks=[lines], ground=GROUND,
            zones={"street": {"polygon": _WHOLE}, "everywhere": {"polygon": _WHOLE}},
        )  # fmt: skip
    lot = data / "pklot"
    pictures = sorted((lot / "empty").glob("*.jpg"))
    drawn = next(iter(sorted(lot.glob("*/bounding_boxes/*.xml"))), None)
    if pictures and drawn is not None:
        yield _car_park(pictures, drawn)
    manifest = data / "fight-dev" / "manifest.csv"
    if manifest.is_file():
        with manifest.open(encoding="utf-8", newline="") as lines_of:
            for row in csv.DictReader(lines_of):
                # A fight is not ordinary, but where few people fight nobody may see a crowd: a harder lesson for that rule.
                kind = "clips" if row["label"] == "normal" else "fights"
                clip = manifest.parent / row["path"]
                yield Source(
                    f"{kind}/{clip.stem}", lambda clip=clip: open_source(str(clip), _CAMERA, fps), (_QUICK_CROWDING,)  # type: ignore[misc]
                )  # fmt: skip


def _car_park(pictures: Sequence[Path], drawn: Path) -> Source:
    first = cv2.imread(str(pictures[0]))
    if first is None:
        raise BadInput(f"{pictures[0]}: cannot be read as a picture")
    size = np.array([first.shape[1], first.shape[0]], float)
    bays = [
        np.clip((bay.mean(axis=0) + _BAY_GROWN * (bay - bay.mean(axis=0))) / size, 0, 1).tolist()
        for bay in drawn_bays(drawn)
    ]

    def frames() -> Iterator[Frame]:
        for number, path in enumerate(pictures):
            pixels = cv2.imread(str(path))
            if pixels is None:
                raise BadInput(f"{path}: cannot be read as a picture")
            yield Frame(_CAMERA, "day", number * _LOT_EVERY_S, np.asarray(pixels, np.uint8))

    # No crowd of half a minute can be seen in pictures that are five minutes apart: that rule is not asked.
    return Source("pklot/empty", frames, ({**_PARKING, "after": "3m"},), {"street": {"polygon": _WHOLE}}, bays)


def _play(source: Source, detector: Detector, crowds: CrowdReader | None) -> dict[str, Any]:
    camera = {
        "main": {"url": "rtsp://127.0.0.1/ordinary"},
        "zones": dict(source.zones),
        "masks": [list(mask) for mask in source.masks],
        "ground": [{"picture": list(picture), "metres": list(metres)} for picture, metres in source.ground],
        "rules": [dict(rule) for rule in source.rules],
    }
    engine = Engine(camera_spec(Config.model_validate({"cameras": {_CAMERA: camera}}), _CAMERA), crowds=crowds)
    times: list[float] = []
    raised: list[dict[str, Any]] = []
    for frame in source.pictures():
        times.append(frame.time_s)
        moved = Frame(_CAMERA, frame.run_id, START_S + frame.time_s, frame.pixels)
        for message in engine.step(moved, detector.detect([frame.pixels])[0]).incidents:
            if message.phase.value == "opened":
                raised.append({"kind": message.kind, "at_s": round(message.time_s - START_S, 1)})
    seconds = times[-1] - times[0] + (times[1] - times[0]) if len(times) > 1 else 0.0
    needs = {str(rule["kind"]): parse_seconds(rule.get("after", rule.get("for"))) for rule in source.rules}
    needs["camera fault"] = 10.0
    for one in raised:
        one["kind"] = one["kind"] if one["kind"] in needs else "camera fault"
    # A rule that asks for half a minute cannot fail on three seconds: such footage says nothing of it.
    hours = {kind: seconds / 3600 for kind, need_s in needs.items() if seconds > need_s}
    return {"source": source.name, "pictures": len(times), "seconds": seconds, "hours": hours, "raised": raised}


def _sum(kind: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    hours = sum(row["hours"].get(kind, 0.0) for row in rows)
    false = sum(one["kind"] == kind for row in rows for one in row["raised"])
    bound = rate_bound(false, hours / _HOURS_PER_DAY)
    return {
        "kind": kind,
        "distinct_hours": round(hours, 4),
        "false_incidents": false,
        "per_day_bound_95": None if bound is None else round(bound, 1),
    }


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Clips as one line of each kind, the rest as they are."""
    told = [(row["source"], [row]) for row in rows if "clips/" not in row["source"] and "fights/" not in row["source"]]
    for kind, name in (("clips/", "ordinary clips"), ("fights/", "clips of fights, for crowding only")):
        clips = [row for row in rows if row["source"].startswith(kind)]
        told += [(f"{len(clips)} {name}", clips)] if clips else []
    return [
        {
            "source": name,
            "pictures": sum(row["pictures"] for row in part),
            "seconds": round(sum(row["seconds"] for row in part), 1),
            "false_incidents": sum(len(row["raised"]) for row in part),
            "raised": json.dumps([one for row in part for one in row["raised"]]),
        }
        for name, part in told
    ]
