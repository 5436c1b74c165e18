"""What one moment says of one place: the new window of a region, or a situation."""

from __future__ import annotations

from dataclasses import dataclass

from vision.geometry import Box
from vision.places import Person, people_of
from vision.scene import Scene
from vision.situation import Situation, SituationWatch


@dataclass(frozen=True, slots=True)
class Finding:
    """What one moment says of one place: a region's new window, or a situation."""

    time_s: float
    box_norm: Box
    track_ids: tuple[int, ...]
    region_id: int | None = None
    score: float | None = None
    scored_s: float | None = None
    people: int = 0
    surprise: float = 0.0
    situation: Situation | None = None
    gathered: int = 0
    fleeing: int = 0
    elsewhere: frozenset[int] = frozenset()
    """Tracks of people who are seen at that moment, and not here nor near: farther from the box than it is large. In a
    scuffle the box leaps from one to the next, and those whom it leaves behind have not gone.
    """


def findings(scene: Scene, watch: SituationWatch) -> list[Finding]:
    """Everything that a scene says, regions first."""
    people = people_of(scene)
    boxes = {t.track_id: box for t, box in zip(scene.tracks, scene.track_boxes_norm().tolist(), strict=True)}
    found = []
    for scored in scene.regions:
        if scored.score is None or not scored.scores:
            continue
        box = scored.region.box_norm(scene.width_px, scene.height_px)
        inside = tuple(p.track_id for p in people if _touches(box, boxes[p.track_id]))
        found.append(
            Finding(
                scene.time_s,
                box,
                inside,
                region_id=scored.region.region_id,
                score=scored.score,
                scored_s=scored.scores[-1][0],
                people=max(scored.region.people, len(inside)),
                surprise=scored.region.surprise,
                elsewhere=_elsewhere(box, boxes, scene),
            )
        )
    for situation in watch.step(people, scene.time_s):
        found.append(_of_situation(situation, people, boxes, watch, scene))
    return found


def _of_situation(
    situation: Situation,
    people: tuple[Person, ...],
    boxes: dict[int, list[float]],
    watch: SituationWatch,
    scene: Scene,
) -> Finding:
    known = frozenset(p.track_id for p in people)
    ids = tuple(i for i in (situation.subject, *situation.others) if i in known)
    held = [boxes[i] for i in ids] or [[0.0, 0.0, 1.0, 1.0]]
    box = (
        max(0.0, min(b[0] for b in held)),
        max(0.0, min(b[1] for b in held)),
        min(1.0, max(b[2] for b in held)),
        min(1.0, max(b[3] for b in held)),
    )
    gathered, fleeing = watch.gathered(situation.place, scene.time_s)
    return Finding(
        scene.time_s,
        box,
        ids,
        people=len(ids),
        situation=situation,
        gathered=gathered,
        fleeing=fleeing,
        elsewhere=_elsewhere(box, boxes, scene) - set(ids),
    )


def _elsewhere(box: Box, boxes: dict[int, list[float]], scene: Scene) -> frozenset[int]:
    side_px = max((box[2] - box[0]) * scene.width_px, (box[3] - box[1]) * scene.height_px)
    x, y = side_px / scene.width_px, side_px / scene.height_px
    near = (box[0] - x, box[1] - y, box[2] + x, box[3] + y)
    return frozenset(track_id for track_id, other in boxes.items() if not _touches(near, other))


def _touches(box: Box, other: list[float]) -> bool:
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]
