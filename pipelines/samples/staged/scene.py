"""One staged scene and its truth: boxes, people in zones, and which incidents the rules must make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np

from pipelines.config.quantities import parse_seconds
from pipelines.samples.staged.cast import Company, Performer
from pipelines.samples.staged.moves import Drive, Move
from pipelines.samples.staged.plate import PARKED
from pipelines.samples.staged.stage import Box, Player, Stage, ground_box
from pipelines.samples.staged.weather import Weather
from vision import coco
from vision.behaviours.people import local_density
from vision.frame import Pixels
from vision.ground import Ground

SIZE_PX: Final = (768, 576)
#: A vehicle has left its place when the box of the place and its own overlap by less than this (IoU).
_LEFT_IOU: Final = 0.45
#: Crowding ends when the count is back to this part of its limit.
_RELEASE: Final = 0.8
_STEP_S: Final = 0.1
#: Slower than this, about a twentieth of a van's length a second, is standing.
_STANDING_PX_PER_S: Final = 6.0

#: When the first picture was taken, in seconds since 1970: 22:13:20 on Monday, 21 September 2026 in Shanghai.
START_S: Final = 1_790_000_000.0
#: A place of which a nearer vehicle covers more than this cannot be seen to be empty.
_HIDDEN: Final = 0.5

#: How long a fault of the camera lasts before it is told of.
_FAULT_AFTER_S: Final = {"view_moved": 10.0, "covered": 10.0, "blurred": 10.0, "dark": 10.0, "frozen": 30.0}

#: A point of the picture (0..1) and its place in metres.
GroundPoint = tuple[tuple[float, float], tuple[float, float]]
Polygon = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Incident:
    """What must be raised: times in seconds from the first picture. `closes_s` None: still open at the end. `class_id` is
    what a vehicle is.
    """

    kind: str
    zone: str
    opens_s: float
    closes_s: float | None
    subject: str
    box_px: tuple[float, float, float, float] | None = None
    class_id: int | None = None


@dataclass(frozen=True, slots=True)
class StagedFrame:
    """A picture with its own time from the first picture on, and the truth about it."""

    time_s: float
    pixels: Pixels
    boxes: tuple[Box, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene. `zones` (name -> polygon 0..1) and `rules` are as under a camera in YAML.

    `fps` is the camera's rate, `outages` are (from, to) seconds without pictures,
    `queues` are vehicles that wait in a queue, which is not parking; `faults` are what befalls the camera (kind, from, to);
    `in_force` (from, to) is when the rules' schedule holds, the first picture being of START_S.
    `restarts` are when whoever judges saves its state and goes on from it with a new engine. `unsure` names the reason when the
    scene is known not to be solved. The boxes are those of a camera that stands still: not of one that shakes or turns.
    """

    name: str
    what: str
    company: Company
    players: tuple[Player, ...]
    duration_s: float
    zones: Mapping[str, Polygon]
    rules: Sequence[Mapping[str, Any]]
    fps: float = 10.0
    weather: Weather = field(default_factory=Weather)
    outages: tuple[tuple[float, float], ...] = ()
    restarts: tuple[float, ...] = ()
    ground: tuple[GroundPoint, ...] = ()
    queues: frozenset[int] = frozenset()
    faults: tuple[tuple[str, float, float | None], ...] = ()
    in_force: tuple[float, float] | None = None
    unsure: str | None = None

    def frames(self) -> Iterator[StagedFrame]:
        """The pictures in order; the same every time."""
        stage = Stage(self.company.plate, self.players)
        for number in range(round(self.duration_s * self.fps)):
            time_s = number / self.fps
            if any(start <= time_s < end for start, end in self.outages) or self.weather.drops(number):
                continue
            shown_s = self.weather.held(time_s)
            picture, boxes = stage.draw(shown_s)
            pixels = self.weather.apply(picture, round(shown_s * self.fps), shown_s)
            yield StagedFrame(time_s, pixels, (*boxes, *_parked()))

    def incidents(self) -> list[Incident]:
        """What the rules must raise, by their own parameters, from where the players really are."""
        found: list[Incident] = []
        for rule in self.rules:
            if rule["kind"] == "illegal_parking":
                found += self._parking(rule)
            elif rule["kind"] == "crowding":
                found += self._crowding(rule)
        found += [Incident(kind, "", from_s + _FAULT_AFTER_S[kind], to_s, kind) for kind, from_s, to_s in self.faults]
        return sorted(found, key=lambda incident: (incident.opens_s, incident.kind))

    def count(self, zone: str, time_s: float) -> int:
        """People whose ground point is in the zone."""
        return len(self._people(zone, time_s))

    def density(self, zone: str, time_s: float) -> float:
        """The highest local density of the people in the zone, per square metre."""
        points = self._people(zone, time_s)
        if not points or not self.ground:
            return 0.0
        return float(local_density(Ground.fit(self.ground).to_metres(np.array(points) / SIZE_PX)).max())

    def _people(self, zone: str, time_s: float) -> list[tuple[float, float]]:
        points = [
            (pose.x_px, pose.y_px)
            for player in self.players
            if player.performer.class_id == coco.PERSON and (pose := player.move.at(time_s)) is not None
        ]
        return [(x, y) for x, y in points if self._inside(zone, x, y)]

    def _inside(self, zone: str, x_px: float, y_px: float) -> bool:
        polygon = (np.array(self.zones[zone], np.float32) * SIZE_PX).astype(np.float32)
        on_picture = 0 <= x_px < SIZE_PX[0] and 0 <= y_px < SIZE_PX[1]
        return bool(on_picture and cv2.pointPolygonTest(polygon, (float(x_px), float(y_px)), measureDist=False) >= 0)

    def _times(self) -> list[float]:
        return [i * _STEP_S for i in range(round(self.duration_s / _STEP_S))]

    def _parking(self, rule: Mapping[str, Any]) -> list[Incident]:
        after_s = parse_seconds(rule["after"])
        classes = coco.VEHICLES if "classes" not in rule else {coco.IDS[name] for name in rule["classes"]}
        from_s, to_s = self.in_force or (0.0, self.duration_s)
        found: list[Incident] = []
        for player in self.players:
            if player.performer.class_id not in classes or player.player_id in self.queues:
                continue
            for start_s, end_s, box in stands(player, self._times()):
                if not self._inside(rule["zone"], (box[0] + box[2]) / 2, box[3]):
                    continue
                # A clock starts when the vehicle can be seen to stand, and a case ends when its place can be seen to be empty.
                seen_s = self._in_view_s(start_s, box, player)
                opens_s = max(seen_s, from_s) + after_s
                closes_s = self.duration_s if end_s is None else self._in_view_s(end_s, box, player)
                closes = min(closes_s, to_s) if self.in_force or closes_s < self.duration_s else None
                if opens_s <= min(to_s, self.duration_s if end_s is None else end_s):
                    what = player.performer
                    found.append(Incident(rule["kind"], rule["zone"], opens_s, closes, what.name, box, what.class_id))
        return found

    def _in_view_s(self, from_s: float, place: tuple[float, float, float, float], whose: Player) -> float:
        """The first moment from `from_s` on at which no nearer vehicle hides the place of `whose`; else the end of the scene."""
        for time_s in (time_s for time_s in self._times() if time_s >= from_s):
            hides = 0.0
            for player in self.players:
                may_hide = player is not whose and player.performer.class_id in coco.VEHICLES
                pose = player.move.at(time_s) if may_hide else None
                if pose is not None and pose.y_px > place[3]:
                    hides = max(hides, _share_of(place, ground_box(player, pose)))
            if hides <= _HIDDEN:
                return time_s
        return self.duration_s

    def _crowding(self, rule: Mapping[str, Any]) -> list[Incident]:
        for_s = parse_seconds(rule["for"])
        found: list[Incident] = []
        since_s: float | None = None
        opens_s: float | None = None
        for time_s in self._times():
            ratio = self._ratio(rule, time_s)
            if opens_s is not None and ratio <= _RELEASE:
                found.append(Incident(rule["kind"], rule["zone"], opens_s, time_s, "people"))
                opens_s = since_s = None
            elif opens_s is None:
                since_s = None if ratio <= 1 else time_s if since_s is None else since_s
                if since_s is not None and time_s - since_s >= for_s:
                    opens_s = since_s + for_s
        if opens_s is not None:
            found.append(Incident(rule["kind"], rule["zone"], opens_s, None, "people"))
        return found

    def _ratio(self, rule: Mapping[str, Any], time_s: float) -> float:
        """By how many times the limit is reached; above 1 is too many."""
        people = self.count(rule["zone"], time_s) / rule["people"] if "people" in rule else 0.0
        dense = self.density(rule["zone"], time_s) / rule["density"] if "density" in rule else 0.0
        return max(people, dense)


def _parked() -> list[Box]:
    return [
        Box(901 + i, class_id, box, ((box[0] + box[2]) / 2, box[3]), 1.0) for i, (class_id, box) in enumerate(PARKED)
    ]


def stands(
    player: Player, times: Sequence[float]
) -> list[tuple[float, float | None, tuple[float, float, float, float]]]:
    """When and where a vehicle stands: (from, to when its place is free again or None, box of the place in pixels)."""
    found: list[tuple[float, float | None, tuple[float, float, float, float]]] = []
    start_s: float | None = None
    place: tuple[float, float, float, float] | None = None
    last: tuple[float, float] | None = None
    for time_s in times:
        pose = player.move.at(time_s)
        box = None if pose is None else ground_box(player, pose)
        if place is not None and start_s is not None:
            if box is None or overlap(box, place) < _LEFT_IOU:
                found.append((start_s, time_s, place))
                start_s = place = last = None
            continue
        here = None if pose is None else (pose.x_px, pose.y_px)
        if (
            here is not None
            and box is not None
            and last is not None
            and np.hypot(here[0] - last[0], here[1] - last[1]) < _STANDING_PX_PER_S * _STEP_S
        ):
            start_s, place = max(0.0, time_s - _STEP_S), box
        last = here
    if place is not None and start_s is not None:
        found.append((start_s, None, place))
    return found


def _share_of(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """The part of `a` that lies in `b`."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height) / ((a[2] - a[0]) * (a[3] - a[1]))


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def drive(
    number: int, performer: Performer, keys: Sequence[tuple[float, float, float]], size: float = 1.0, facing: int = 1
) -> Player:
    """A vehicle with the id `number` in the truth, through `keys` (time_s, x_px, y_px), looking left (-1) or right (+1)."""
    return Player(number, performer, Drive(tuple(keys), facing), size)


def play(number: int, performer: Performer, move: Move) -> Player:
    """A walker with the id `number` in the truth."""
    return Player(number, performer, move)


def normal(points_px: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A polygon in pixels of the plate as it stands in YAML, 0..1."""
    return [(round(x / SIZE_PX[0], 4), round(y / SIZE_PX[1], 4)) for x, y in points_px]
