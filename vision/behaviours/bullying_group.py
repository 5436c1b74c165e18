"""One group of people of whom one may be hurt: what was found about it, and what that adds up to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from vision.behaviours.bullying_words import in_chinese, in_english
from vision.camera import RuleSpec
from vision.episodes import Episode
from vision.geometry import Box
from vision.incident import Quantity
from vision.places import Person, people_of
from vision.scene import Scene
from vision.situation import Situation, SituationKind, SituationWatch

if TYPE_CHECKING:
    from vision.behaviours.possible_bullying import Bounds

#: How long a situation must have held to agree with a score.
_AGREES_S: Final = 2.0
_GRAVE_SCORE: Final = 0.9
#: A situation that ended longer ago than this is no evidence of what happens now.
_FORGOTTEN_S: Final = 10.0


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
            )
        )
    for situation in watch.step(people, scene.time_s):
        found.append(_of_situation(situation, people, boxes, watch, scene.time_s))
    return found


def _of_situation(
    situation: Situation,
    people: tuple[Person, ...],
    boxes: dict[int, list[float]],
    watch: SituationWatch,
    time_s: float,
) -> Finding:
    known = {p.track_id for p in people}
    ids = tuple(i for i in (situation.subject, *situation.others) if i in known)
    held = [boxes[i] for i in ids] or [[0.0, 0.0, 1.0, 1.0]]
    box = (
        max(0.0, min(b[0] for b in held)),
        max(0.0, min(b[1] for b in held)),
        min(1.0, max(b[2] for b in held)),
        min(1.0, max(b[3] for b in held)),
    )
    gathered, fleeing = watch.gathered(situation.place, time_s)
    return Finding(time_s, box, ids, people=len(ids), situation=situation, gathered=gathered, fleeing=fleeing)


def _touches(box: Box, other: list[float]) -> bool:
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


@dataclass(slots=True)
class Group:
    """What is known of one group. `last_s` is when anything was found, `moved_s` when evidence last counted."""

    incident_id: str
    first_s: float
    last_s: float
    box_norm: Box
    moved_s: float = 0.0
    track_ids: tuple[int, ...] = ()
    score: float = 0.0
    people: int = 0
    surprise: float = 0.0
    gathered: int = 0
    fleeing: int = 0
    fought: bool = False
    windows: dict[int, deque[tuple[float, float]]] = field(default_factory=dict)
    situations: dict[SituationKind, tuple[float, Situation]] = field(default_factory=dict)
    episode: Episode | None = None

    def concerns(self, finding: Finding) -> bool:
        """Whether the finding is about this group: its region, its people, or its place."""
        if finding.region_id is not None and finding.region_id in self.windows:
            return True
        if len(set(self.track_ids) & set(finding.track_ids)) >= 2:
            return True
        a, b = self.box_norm, finding.box_norm
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
        return width > 0 and height > 0 and width * height >= 0.3 * smaller

    def see(self, finding: Finding, bounds: Bounds) -> None:
        self.last_s = finding.time_s
        self.box_norm = finding.box_norm
        self.track_ids = finding.track_ids or self.track_ids
        self.people = max(self.people, finding.people)
        if finding.region_id is not None and finding.score is not None and finding.scored_s is not None:
            past = self.windows.setdefault(finding.region_id, deque(maxlen=bounds.of))
            if past.maxlen != bounds.of:
                past = self.windows[finding.region_id] = deque(past, maxlen=bounds.of)
            if not past or past[-1][0] < finding.scored_s:
                past.append((finding.scored_s, finding.score))
            self.surprise = max(self.surprise, finding.surprise)
            if finding.score >= bounds.score:
                self.moved_s = finding.time_s
        if finding.situation is not None:
            self.situations[finding.situation.kind] = (finding.time_s, finding.situation)
            self.gathered, self.fleeing = finding.gathered, max(self.fleeing, finding.fleeing)

    def _holding(self, time_s: float) -> dict[SituationKind, Situation]:
        return {kind: s for kind, (at_s, s) in self.situations.items() if time_s - at_s <= 0.5}

    def grounds(self, bounds: Bounds, time_s: float) -> bool:
        """Whether the evidence is enough for an incident at `time_s`."""
        holding = self._holding(time_s)
        agrees = any(s.lasted_s >= _AGREES_S for s in holding.values())
        needed = bounds.windows_with_situation if agrees else bounds.windows
        best: list[float] = []
        for past in self.windows.values():
            counted = sorted((s for t, s in past if s >= bounds.score and time_s - t <= 0.3 * bounds.of), reverse=True)
            if len(counted) >= needed and len(counted) > len(best):
                best = counted
        if best:
            self.fought = True
            self.score = max(self.score, sum(best) / len(best))
        alone = {
            SituationKind.DOWN: bounds.down_s,
            SituationKind.CAUGHT: bounds.caught_s,
            SituationKind.ENCIRCLED: bounds.encircled_s,
        }
        grave = [
            s
            for kind, s in holding.items()
            if s.lasted_s >= alone[kind] and (kind is not SituationKind.ENCIRCLED or s.converged)
        ]
        if grave:
            self.moved_s = time_s
            self.score = max(self.score, 0.5)
        return bool(best or grave)

    def severity(self, time_s: float) -> int:
        """1 critical: a fight that is sure, with one down or surrounded. 3 watch: surrounded or caught, no blows."""
        holding = self._holding(time_s)
        if self.fought and self.score >= _GRAVE_SCORE and holding:
            return 1
        return 2 if self.fought or SituationKind.DOWN in holding else 3

    def begin(self, camera_id: str, rule: RuleSpec, severity: int, bounds: Bounds, time_s: float) -> None:
        """The evidence is enough: an incident of record, first seen when that evidence began."""
        since = [s.since_s for s in self._holding(time_s).values()]
        since += [t for past in self.windows.values() for t, score in past if score >= bounds.score]
        self.first_s = min(since, default=time_s)
        self.episode = Episode(
            self.incident_id, camera_id, rule.kind, rule.rule_id, rule.zone_id, self.first_s, severity, self.score
        )

    def evidence(self, time_s: float) -> dict[str, Quantity]:
        """Numbers with units, and a sentence made of them in two languages."""
        told: dict[str, Quantity] = {"people": Quantity(self.people, "people")}
        scores = [s for past in self.windows.values() for _, s in past]
        if scores:
            told["contact_score"] = Quantity(round(max(self.score, *scores), 2), "")
            told["suddenness"] = Quantity(round(self.surprise, 1), "times")
        for kind, (at_s, s) in sorted(self.situations.items()):
            if time_s - at_s > _FORGOTTEN_S:
                continue
            told[f"{kind}_for"] = Quantity(round(s.lasted_s, 1), "s")
            told[f"{kind}_by"] = Quantity(len(s.others), "people")
            if time_s - at_s > 0.5:
                told[f"{kind}_ended"] = Quantity(round(time_s - at_s, 1), "s ago")
        if self.gathered:
            told["gathered"] = Quantity(self.gathered, "people")
        if self.fleeing:
            told["fleeing"] = Quantity(self.fleeing, "people")
        sentences = {"in_words_en": in_english(told), "in_words_zh": in_chinese(told)}
        return told | {name: Quantity(text, "") for name, text in sentences.items()}

    def snapshot(self) -> dict[str, Any]:
        return {
            "incident_id": self.incident_id,
            "first_s": self.first_s,
            "last_s": self.last_s,
            "box_norm": list(self.box_norm),
            "moved_s": self.moved_s,
            "track_ids": list(self.track_ids),
            "score": self.score,
            "people": self.people,
            "fought": self.fought,
            "episode": None if self.episode is None else self.episode.snapshot(),
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Group:
        x1, y1, x2, y2 = (float(v) for v in state["box_norm"])
        return cls(
            state["incident_id"],
            float(state["first_s"]),
            float(state["last_s"]),
            (x1, y1, x2, y2),
            float(state["moved_s"]),
            tuple(int(i) for i in state["track_ids"]),
            float(state["score"]),
            int(state["people"]),
            fought=bool(state["fought"]),
            episode=None if state["episode"] is None else Episode.from_snapshot(state["episode"]),
        )
