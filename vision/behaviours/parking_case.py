"""One parked vehicle: a case keyed to its place and its looks, never to a track."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np

from vision import coco, saved
from vision.behaviours.parking_place import Yard
from vision.episodes import Episode
from vision.geometry import BoolArray, Box, displacement
from vision.incident import Phase, Quantity
from vision.looks import Likeness, Looks, likeness

#: How far a box may stray from its place, in its own widths or heights, before the vehicle counts as moved.
MOVED: Final = 0.18
#: How far, when it comes to rest.
AT_REST: Final = 0.06
_MOST_LOOKS: Final = 4
_ANCHOR_SAMPLES: Final = 30
_LEARN_EVERY_S: Final = 2.0


class CaseState(StrEnum):
    """candidate -> standing -> warned -> violation; occluded and unknown come and go."""

    CANDIDATE = "candidate"
    STANDING = "standing"
    WARNED = "warned"
    VIOLATION = "violation"
    OCCLUDED = "occluded"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Case:
    """What is known of one vehicle at one place (`place`, 0..1 of the picture).

    `stopped_s`: since when it stands here; `arrival`: its boxes until that is known. `present_s`: when it was last
    seen or its looks recognised. `doubted`: since then something spoke against it (place unlike it, long unseen), so
    the next vehicle here must look like it. `empty_s`: for how long the place has been observed empty, `empty_since_s`
    from when. `frames` counts pictures in which it could be seen.
    """

    episode: Episode
    place: Box
    stopped_s: float
    detected_s: float
    present_s: float
    track_id: int = -1
    state: CaseState = CaseState.CANDIDATE
    samples: int = 1
    arrival: list[tuple[float, Box]] = field(default_factory=list)
    hits: int = 0
    frames: int = 0
    confidence_sum: float = 0.0
    votes: dict[int, float] = field(default_factory=dict)
    looks: list[Looks] = field(default_factory=list)
    learned_s: float = 0.0
    last_look: Looks | None = None
    doubted: bool = False
    suspect_s: float = 0.0
    suspect_since_s: float | None = None
    empty_s: float = 0.0
    empty_since_s: float | None = None
    moved_since_s: float | None = None
    moved_to: Box | None = None
    first_place: Box | None = None
    first_stopped_s: float = 0.0
    first_picture_s: float | None = None
    later_picture: bool = False
    close_up: bool = False

    @property
    def key(self) -> str:
        return self.episode.incident_id

    @property
    def class_id(self) -> int:
        """The class with the most votes."""
        if len(self.votes) == 1:
            return next(iter(self.votes))
        return max(self.votes, key=lambda class_id: (self.votes[class_id], -class_id))

    @property
    def share(self) -> float:
        """Share of the pictures, of those in which it could be seen, in which the detector did see it."""
        return min(1.0, self.hits / self.frames) if self.frames else 0.0

    @property
    def confidence(self) -> float:
        return self.confidence_sum / self.hits if self.hits else 0.0

    @property
    def base_state(self) -> CaseState:
        """The state while the vehicle is in sight."""
        if self.episode.is_open:
            return CaseState.VIOLATION
        return CaseState.WARNED if self.episode.phase is Phase.WARNED else CaseState.STANDING

    def left_s(self, soon_s: float) -> float | None:
        """When it left: the last sight of it, when its place was seen empty or taken `soon_s` after that; else when that was."""
        gone_s = [at_s for at_s in (self.empty_since_s, self.suspect_since_s) if at_s is not None]
        if not gone_s:
            return None
        return self.present_s if min(gone_s) - self.present_s <= soon_s else min(gone_s)

    def standing(self, time_s: float, active_since_s: float | None) -> Quantity:
        """How long it has stood; where a rule came into force later, since then."""
        since_s = self.stopped_s if active_since_s is None else max(self.stopped_s, active_since_s)
        return Quantity(round(max(0.0, time_s - since_s), 1), "s")

    def vote(self, class_id: int, confidence: float) -> None:
        self.votes[class_id] = self.votes.get(class_id, 0.0) + confidence
        self.hits += 1
        self.confidence_sum += confidence

    def settle(self, box: Box) -> None:
        """Refine the place by the mean of the first boxes; later ones do not move it, or a creeping car would carry it
        along.
        """
        if self.samples < _ANCHOR_SAMPLES and displacement(self.place, box) < MOVED / 2:
            self.samples += 1
            share = 1.0 / self.samples
            self.place = tuple(old + share * (new - old) for old, new in zip(self.place, box, strict=True))  # type: ignore[assignment]

    def come_to_rest(self, yard: Yard) -> None:
        """Now that it stands: where exactly, and since when. While it braked, its box was already near its place."""
        boxes = np.array([box for _, box in self.arrival])
        rest = np.median(boxes[len(boxes) // 2 :], axis=0)
        place = (float(rest[0]), float(rest[1]), float(rest[2]), float(rest[3]))
        if displacement(self.place, place) > AT_REST / 2:
            self.looks, self.last_look = [], None
        self.place, self.samples = place, 1
        for time_s, box in reversed(self.arrival):
            if displacement(place, box) > AT_REST:
                break
            self.stopped_s = time_s
        self.arrival = []
        if self.first_place is not None and yard.same_stop(self.first_place, place, self.class_id):
            self.stopped_s = self.first_stopped_s  # it crept on by less than half its length: that is no other place
        else:
            self.first_place, self.first_stopped_s = place, self.stopped_s

    def move(self, box: Box, time_s: float) -> None:
        """The vehicle stands somewhere else now."""
        self.place, self.samples, self.stopped_s, self.arrival = box, 1, time_s, [(time_s, box)]
        if self.episode.phase is None:
            self.state = CaseState.CANDIDATE
        self.looks, self.last_look = [], None
        self.moved_since_s, self.moved_to = None, None
        self.forget_doubts()

    def forget_doubts(self) -> None:
        self.doubted, self.suspect_s, self.suspect_since_s = False, 0.0, None
        self.empty_s, self.empty_since_s = 0.0, None

    def compare(self, now: Looks, visible: BoolArray) -> Likeness | None:
        """How much the place looks as it did with the vehicle, at best; None when its looks were never learned."""
        found = [likeness(reference, now, visible) for reference in self.looks]
        if not found:
            return None
        return Likeness(max(one.structure for one in found), min(one.colour for one in found))

    def may_learn(self, time_s: float) -> bool:
        """Comparing costs more than all else of a case, and looks change slowly."""
        return not self.looks or time_s - self.learned_s >= _LEARN_EVERY_S

    def learn(self, now: Looks, alike: Likeness | None, time_s: float) -> None:
        """Keep these looks unless they say nothing new. The first is kept for good, of the others the newest."""
        self.learned_s = time_s
        if alike is not None and alike.structure > 0.9:
            return
        if len(self.looks) >= _MOST_LOOKS:
            del self.looks[1]
        self.looks.append(now)

    def is_still(self, now: Looks) -> bool:
        """Nothing moves at the place between the last picture and this one."""
        if self.last_look is None:
            return False
        change = np.abs(self.last_look.cells.astype(np.int16) - now.cells.astype(np.int16))
        return float(change.mean()) < 10.0

    def evidence(self, time_s: float, extra: dict[str, Quantity]) -> dict[str, Quantity]:
        """The case in numbers."""
        x1, y1, x2, y2 = (round(value, 4) for value in self.place)
        return {
            "standing": Quantity(round(max(0.0, time_s - self.stopped_s), 2), "s"),
            "stopped_at": Quantity(round(self.stopped_s, 3), "s since 1970 UTC"),
            "last_seen_at": Quantity(round(self.present_s, 3), "s since 1970 UTC"),
            "last_detected_at": Quantity(round(self.detected_s, 3), "s since 1970 UTC"),
            "vehicle": Quantity(coco.NAMES.get(self.class_id, str(self.class_id)), ""),
            "vehicle_votes": Quantity(round(self.votes[self.class_id] / sum(self.votes.values()), 3), "share"),
            "confidence": Quantity(round(self.confidence, 3), "0..1"),
            "detection_share": Quantity(round(self.share, 3), "share"),
            "state": Quantity(self.state.value, ""),
            "driver": Quantity("unknown", ""),
            "box_x1": Quantity(x1, "norm"),
            "box_y1": Quantity(y1, "norm"),
            "box_x2": Quantity(x2, "norm"),
            "box_y2": Quantity(y2, "norm"),
            **extra,
        }

    def snapshot(self) -> dict[str, Any]:
        return {
            "episode": self.episode.snapshot(),
            "place": list(self.place),
            "stopped_s": self.stopped_s,
            "detected_s": self.detected_s,
            "present_s": self.present_s,
            "track_id": self.track_id,
            "state": self.state.value,
            "samples": self.samples,
            "arrival": [[time_s, list(box)] for time_s, box in self.arrival],
            "hits": self.hits,
            "frames": self.frames,
            "confidence_sum": self.confidence_sum,
            "votes": {str(class_id): weight for class_id, weight in self.votes.items()},
            "looks": [one.to_text() for one in self.looks],
            "learned_s": self.learned_s,
            "last_look": None if self.last_look is None else self.last_look.to_text(),
            "doubted": self.doubted,
            "suspect_s": self.suspect_s,
            "suspect_since_s": self.suspect_since_s,
            "empty_s": self.empty_s,
            "empty_since_s": self.empty_since_s,
            "moved_since_s": self.moved_since_s,
            "moved_to": None if self.moved_to is None else list(self.moved_to),
            "first_place": None if self.first_place is None else list(self.first_place),
            "first_stopped_s": self.first_stopped_s,
            "first_picture_s": self.first_picture_s,
            "later_picture": self.later_picture,
            "close_up": self.close_up,
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Case:
        values = dict(state)
        values["episode"] = Episode.from_snapshot(state["episode"])
        values["place"], values["track_id"] = saved.box(state["place"]), saved.whole(state["track_id"])
        values["state"] = CaseState(state["state"])
        values["arrival"] = [(time_s, saved.box(box)) for time_s, box in state["arrival"]]
        values["votes"] = {int(class_id): weight for class_id, weight in state["votes"].items()}
        if not values["votes"]:
            raise ValueError("a case of no vehicle")
        values["looks"] = [Looks.from_text(text) for text in state["looks"]]
        values["last_look"] = None if state["last_look"] is None else Looks.from_text(state["last_look"])
        values["first_place"] = None if state.get("first_place") is None else saved.box(state["first_place"])
        values["moved_to"] = None if state["moved_to"] is None else saved.box(state["moved_to"])
        return cls(**values)
