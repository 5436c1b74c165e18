"""What a count means by the limits of a crowding rule: how near to them it is, how grave, and what is told of it."""

from __future__ import annotations

from vision.behaviours.crowding_count import Count
from vision.behaviours.crowding_limits import LEVELS, Parameters
from vision.behaviours.crowding_words import in_chinese, in_english
from vision.incident import Quantity
from vision.observation import Observation
from vision.scene import Scene


def score_of(count: Count, scene: Scene, p: Parameters) -> float:
    """0..1: above 0.5 there are too many, or they stand too close."""
    limit = p.limit(scene.time_s)
    ratios = [count.people / limit] if limit is not None else []
    if p.density_per_m2 is not None and scene.ground is not None:
        ratios.append(count.density / p.density_per_m2)
    return min(1.0, 0.5 * max(ratios, default=0.0))


def severity_of(count: Count, p: Parameters) -> int:
    """As in `Incident`."""
    if p.severity is not None:
        return p.severity
    levels = [severity for limit, severity in LEVELS if count.density >= limit]
    if p.people is not None and count.people > p.people:
        levels.append(2)
    return min(levels, default=3)


def observed(zone_id: str, scene: Scene, count: Count, score: float, p: Parameters) -> Observation:
    """What is told, and so only made when something is."""
    box = count.boxes
    return Observation(
        zone_id=zone_id,
        time_s=scene.time_s,
        score=score,
        severity=severity_of(count, p),
        track_ids=tuple(t.track_id for t in count.tracks),
        box_norm=None
        if not len(box)
        else (
            max(0.0, float(box[:, 0].min())),
            max(0.0, float(box[:, 1].min())),
            min(1.0, float(box[:, 2].max())),
            min(1.0, float(box[:, 3].max())),
        ),
        evidence=_evidence(scene, count, p),
    )


def _evidence(scene: Scene, count: Count, p: Parameters) -> dict[str, Quantity]:
    limit = p.limit(scene.time_s)
    evidence = {"people": Quantity(count.people, "people"), "people_error": Quantity(count.error, "people")}
    if count.read:
        evidence["people_seen"] = Quantity(count.seen, "people")
        evidence["count"] = Quantity("estimated", "")
    elif count.close:
        evidence["count"] = Quantity("at_least", "")
    if limit is not None:
        evidence["people_limit"] = Quantity(limit, "people")
    if p.unexpected(scene.time_s):
        evidence["crowd"] = Quantity("unexpected", "")
    if scene.ground is not None:
        evidence["density"] = Quantity(round(count.density, 2), "people/m2")
        evidence["ground_error"] = Quantity(round(scene.ground.error_m, 2), "m")
    if p.density_per_m2 is not None:
        evidence["density_limit"] = Quantity(p.density_per_m2, "people/m2")
    if count.read:
        evidence |= {
            "in_words_en": Quantity(in_english(evidence), ""),
            "in_words_zh": Quantity(in_chinese(evidence), ""),
        }
    return evidence
