"""How well crowds are counted, on staged ones of people whom nothing was learnt from: error and bias by density."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipelines.crowding.footage import Shot
from pipelines.crowding.learning import KEPT
from pipelines.crowding.staging import SIZE_PX, StagedCrowd, stage_crowd
from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.plate import Plate
from vision import coco
from vision.behaviours.crowding_hidden import all_people
from vision.behaviours.people import local_density
from vision.crowd import CrowdModel
from vision.crowd_watch import dense, horizon_px
from vision.detection import Detector
from vision.geometry import FloatArray

#: Levels of density that are judged, in people per square metre, and how many people the crowds have.
DENSITIES: Final = (0.5, 1.0, 2.0, 3.5, 5.0)
SIZES: Final = (12, 24, 48, 72)
#: From how high the camera looks, in metres, and how tall a person is in the picture, in pixels.
HEIGHTS_M: Final = (4.0, 7.3, 10.0)
TALL_PX: Final = (65.0, 90.0, 120.0)


@dataclass(frozen=True, slots=True)
class Judged:
    """One staged crowd: how many there are, how many were seen, and `counted` with the reading where `read`; the highest local
    density in people per square metre, true, seen and counted.
    """

    ground: str
    density: float
    height_m: float
    tall_px: float
    true: int
    seen: int
    counted: float
    read: bool
    true_density: float
    seen_density: float
    counted_density: float


def judge(
    company: Company,
    plates: Mapping[str, Sequence[Plate]],
    detector: Detector,
    crowds: CrowdModel,
    *,
    seed: int = 0,
    each: int = 12,
) -> Iterator[Judged]:
    """`each` crowds for each density and ground."""
    for name, grounds in plates.items():
        for density in DENSITIES:
            for number in range(each):
                random = np.random.default_rng((seed, 991, round(density * 10), number))
                height_m, tall = HEIGHTS_M[number % 3], TALL_PX[(number // 3) % 3]
                crowd = stage_crowd(
                    company,
                    KEPT,
                    random,
                    count=SIZES[number % len(SIZES)],
                    density=density,
                    height_m=height_m,
                    tall_px=tall,
                    plate=grounds[number % len(grounds)],
                )
                yield _judge(name, height_m, tall, crowd, detector, crowds)


def _judge(
    name: str, height_m: float, tall: float, crowd: StagedCrowd, detector: Detector, crowds: CrowdModel
) -> Judged:
    found = detector.detect([crowd.pixels])[0]
    boxes = np.asarray(found.xyxy_px[found.class_id == coco.PERSON], np.float64)
    ground = crowd.camera.ground((float(crowd.feet_px[:, 1].min()) - 20, float(crowd.feet_px[:, 1].max()) + 20))
    size_px = (SIZE_PX[1], SIZE_PX[0])
    feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    seen_density = _densest(crowd.camera.metres(feet), np.ones(len(feet)))
    counted, read, counted_density = float(len(boxes)), dense(boxes, size_px, ground) is not None, seen_density
    if read:
        reading = crowds.read(crowd.pixels, boxes, horizon_px(ground, size_px))
        people = all_people(reading, ground, size_px)
        counted = max(counted, float(people.sum()))
        counted_density = max(counted_density, _densest(ground.to_metres(reading.places), people))
    return Judged(
        ground=name,
        density=crowd.density,
        height_m=height_m,
        tall_px=tall,
        true=len(crowd.feet_px),
        seen=len(boxes),
        counted=counted,
        read=read,
        true_density=_densest(crowd.camera.metres(crowd.feet_px), np.ones(len(crowd.feet_px))),
        seen_density=seen_density,
        counted_density=counted_density,
    )


def _densest(metres: FloatArray, people: FloatArray) -> float:
    return float(local_density(metres, people).max()) if len(metres) else 0.0


def table(rows: Sequence[Judged], by: str = "density") -> list[dict[str, Any]]:
    """For each ground and each value of `by`: errors as shares of the true number, mean and bias, seen and counted."""
    found = []
    for ground in dict.fromkeys(row.ground for row in rows):
        for value in sorted({getattr(row, by) for row in rows if row.ground == ground}):
            part = [row for row in rows if row.ground == ground and getattr(row, by) == value]
            true = np.array([row.true for row in part], np.float64)
            seen = np.array([row.seen for row in part]) / true - 1
            counted = np.array([row.counted for row in part]) / true - 1
            dense_true = np.array([row.true_density for row in part])
            packed = np.array([row.counted_density for row in part]) / dense_true - 1
            packed_seen = np.array([row.seen_density for row in part]) / dense_true - 1
            found.append(
                {
                    "ground": ground,
                    by: value,
                    "crowds": len(part),
                    "people": int(true.sum()),
                    "read": sum(row.read for row in part),
                    "seen_bias": round(float(seen.mean()), 3),
                    "seen_error": round(float(np.abs(seen).mean()), 3),
                    "bias": round(float(counted.mean()), 3),
                    "error": round(float(np.abs(counted).mean()), 3),
                    "density_true": round(float(dense_true.mean()), 2),
                    "density_seen_bias": round(float(packed_seen.mean()), 3),
                    "density_bias": round(float(packed.mean()), 3),
                    "density_error": round(float(np.abs(packed).mean()), 3),
                }
            )
    return found


def on_footage(shots: Iterable[Shot], crowds: CrowdModel) -> list[dict[str, Any]]:
    """Real people who stand apart, so that boxes count them: what the reading makes of them, by how many are seen."""
    found = [
        (len(shot.boxes), len(shot.unsure), float(crowds.read(shot.pixels, shot.boxes, None).people.sum()), shot.group)
        for shot in shots
    ]
    rows = []
    for low, high in ((1, 1), (2, 3), (4, 6), (7, 12), (13, 10**6), (1, 10**6)):
        part = [row for row in found if low <= row[0] <= high]
        if part:
            read = sum(row[2] for row in part)
            rows.append(
                {
                    "seen_from": low,
                    "seen_to": max(row[0] for row in part),
                    "pictures": len(part),
                    "sources": len({row[3] for row in part}),
                    "seen_surely": sum(row[0] for row in part),
                    "seen_unsurely": sum(row[1] for row in part),
                    "read": round(read, 1),
                }
            )
    return rows
