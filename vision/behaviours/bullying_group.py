"""One group of people of whom one may be hurt: what was found about it, and what that adds up to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from vision.behaviours.bullying_finding import Finding
from vision.behaviours.bullying_words import in_chinese, in_english
from vision.camera import RuleSpec
from vision.episodes import Episode
from vision.geometry import Box
from vision.incident import Quantity
from vision.situation import Situation, SituationKind

if TYPE_CHECKING:
    from vision.behaviours.possible_bullying import Bounds

#: How long a situation must have held to agree with a score.
_AGREES_S: Final = 2.0
_GRAVE_SCORE: Final = 0.9
#: A situation that ended longer ago than this is no evidence of what happens now.
_FORGOTTEN_S: Final = 10.0
#: Before there is an incident, what is older than this was perhaps done by somebody else: a gate is passed all day.
_RECENT_S: Final = 4.0
_STEP_S: Final = 0.3  # one window comes every 0.2 s, on a slow machine a little later


@dataclass(frozen=True, slots=True)
class _Glimpse:
    """The numbers of one finding that the sentence is made of."""

    time_s: float
    people: int
    surprise: float
    gathered: int
    fleeing: int


@dataclass(slots=True)
class Group:
    """What is known of one group. `last_s` is when anything was found, `moved_s` when evidence last counted.

    Until there is an incident only what was seen lately counts, and nothing that people did who have been seen to go:
    the same place is passed by others all day. From then on the most of everything is kept.
    """

    incident_id: str
    first_s: float
    last_s: float
    box_norm: Box
    moved_s: float = 0.0
    track_ids: tuple[int, ...] = ()
    score: float = 0.0
    fought: bool = False
    glimpses: deque[_Glimpse] = field(default_factory=deque)
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

    def beside(self, other: Group, width_px: int, height_px: int) -> bool:
        """Whether the other's place is no farther from this one than half a side of the larger of the two."""
        a, b = self.box_norm, other.box_norm
        side_px = max(
            (a[2] - a[0]) * width_px, (a[3] - a[1]) * height_px, (b[2] - b[0]) * width_px, (b[3] - b[1]) * height_px
        )
        x, y = side_px / 2 / width_px, side_px / 2 / height_px
        return a[0] - x <= b[2] and b[0] <= a[2] + x and a[1] - y <= b[3] and b[1] <= a[3] + y

    def take_in(self, other: Group) -> None:
        """The other's evidence is this one's from now on."""
        self.windows.update({region: past for region, past in other.windows.items() if region not in self.windows})
        self.situations = other.situations | self.situations
        self.last_s, self.moved_s = max(self.last_s, other.last_s), max(self.moved_s, other.moved_s)

    def see(self, finding: Finding, bounds: Bounds) -> None:
        if self.episode is None and self._are_others(finding):
            self._forget()
        self.last_s = finding.time_s
        self.box_norm = finding.box_norm
        self.track_ids = finding.track_ids or self.track_ids
        self._note(finding)
        if finding.region_id is not None and finding.score is not None and finding.scored_s is not None:
            past = self.windows.setdefault(finding.region_id, deque(maxlen=bounds.of))
            if past.maxlen != bounds.of:
                past = self.windows[finding.region_id] = deque(past, maxlen=bounds.of)
            if not past or past[-1][0] < finding.scored_s:
                past.append((finding.scored_s, finding.score))
            if finding.score >= bounds.score:
                self.moved_s = finding.time_s
        if finding.situation is not None:
            self.situations[finding.situation.kind] = (finding.time_s, finding.situation)
        if self.episode is None:
            self._let_go(finding.time_s, bounds)

    def _are_others(self, finding: Finding) -> bool:
        """Whether everybody whom the group knows is seen somewhere else now. People whom the detector loses, as it does
        with two in a clinch, are not seen elsewhere.
        """
        mine = set(self.track_ids)
        return bool(mine) and bool(finding.track_ids) and mine <= finding.elsewhere

    def _forget(self) -> None:
        self.windows.clear()
        self.situations.clear()
        self.glimpses.clear()
        self.score, self.fought = 0.0, False

    def _note(self, finding: Finding) -> None:
        """Keep the finding's numbers; of an incident, which may last for minutes, only the most so far."""
        now = _Glimpse(finding.time_s, finding.people, finding.surprise, finding.gathered, finding.fleeing)
        if finding.situation is None and self.glimpses:
            now = replace(now, gathered=self.glimpses[-1].gathered)
        if self.episode is not None:
            most = self._most()
            now = replace(
                now,
                people=max(now.people, most.people),
                surprise=max(now.surprise, most.surprise),
                fleeing=max(now.fleeing, most.fleeing),
            )
            self.glimpses.clear()
        self.glimpses.append(now)

    def _most(self) -> _Glimpse:
        if not self.glimpses:
            return _Glimpse(self.last_s, 0, 0.0, 0, 0)
        return _Glimpse(
            self.glimpses[-1].time_s,
            max(g.people for g in self.glimpses),
            max(g.surprise for g in self.glimpses),
            self.glimpses[-1].gathered,
            max(g.fleeing for g in self.glimpses),
        )

    def _let_go(self, time_s: float, bounds: Bounds) -> None:
        """Drop what is too old to be evidence of what happens now."""
        while self.glimpses and time_s - self.glimpses[0].time_s > _RECENT_S:
            self.glimpses.popleft()
        for past in self.windows.values():
            while past and time_s - past[0][0] > _STEP_S * bounds.of:
                past.popleft()
        self.windows = {region: past for region, past in self.windows.items() if past}
        self.situations = {k: held for k, held in self.situations.items() if time_s - held[0] <= _RECENT_S}

    def _holding(self, time_s: float) -> dict[SituationKind, Situation]:
        return {kind: s for kind, (at_s, s) in self.situations.items() if time_s - at_s <= 0.5}

    def grounds(self, bounds: Bounds, time_s: float) -> bool:
        """Whether the evidence is enough for an incident at `time_s`."""
        holding = self._holding(time_s)
        agrees = any(s.lasted_s >= _AGREES_S for s in holding.values())
        needed = bounds.windows_with_situation if agrees else bounds.windows
        best: list[float] = []
        for past in self.windows.values():
            counted = sorted(
                (s for t, s in past if s >= bounds.score and time_s - t <= _STEP_S * bounds.of), reverse=True
            )
            if len(counted) >= needed and len(counted) > len(best):
                best = counted
        if self.episode is None:
            self.score, self.fought = 0.0, False
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
        most = self._most()
        told: dict[str, Quantity] = {"people": Quantity(most.people, "people")}
        scores = [s for past in self.windows.values() for _, s in past]
        if scores:
            told["contact_score"] = Quantity(round(max(self.score, *scores), 2), "")
            told["suddenness"] = Quantity(round(most.surprise, 1), "times")
        for kind, (at_s, s) in sorted(self.situations.items()):
            if time_s - at_s > _FORGOTTEN_S:
                continue
            told[f"{kind}_for"] = Quantity(round(s.lasted_s, 1), "s")
            told[f"{kind}_by"] = Quantity(len(s.others), "people")
            if time_s - at_s > 0.5:
                told[f"{kind}_ended"] = Quantity(round(time_s - at_s, 1), "s ago")
        if most.gathered:
            told["gathered"] = Quantity(most.gathered, "people")
        if most.fleeing:
            told["fleeing"] = Quantity(most.fleeing, "people")
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
            "people": self._most().people,
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
            fought=bool(state["fought"]),
            glimpses=deque([_Glimpse(float(state["last_s"]), int(state["people"]), 0.0, 0, 0)]),
            episode=None if state["episode"] is None else Episode.from_snapshot(state["episode"]),
        )
