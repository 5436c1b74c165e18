"""People moved in metres, without pixels: what the engine would show the rule of possible bullying, and what it makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vision.aggression import ScoredRegion
from vision.behaviours.possible_bullying import Parameters, PossibleBullying, Sensitivity
from vision.camera import RuleSpec
from vision.detection import Detections
from vision.ground import Ground
from vision.incident import Incident, Phase
from vision.interaction import Region
from vision.scene import Scene
from vision.track import Track, TrackState
from vision.view import View, ViewState
from vision.zone import Zone

WIDTH_PX, HEIGHT_PX = 1280, 720
#: A forecourt of 20 m x 12 m that fills the lower part of the picture.
GROUND = Ground.fit([((0.0, 0.2), (0, 12)), ((1.0, 0.2), (20, 12)), ((1.0, 1.0), (20, 0)), ((0.0, 1.0), (0, 0))])
ZONE = Zone("forecourt", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
FPS = 5.0
TALL_PX = 90.0

#: Where somebody is at a time: (x_m, y_m), or (x_m, y_m, lying).
Way = Callable[[float], Sequence[float]]


def stand(x: float, y: float, until_s: float = 1e9) -> Way:
    """Stands, swaying a little, as people do."""
    return lambda t: (x + 0.08 * math.sin(1.3 * t + x), y + 0.08 * math.sin(0.9 * t + y)) if t < until_s else ()


def walk(*stops: tuple[float, float, float]) -> Way:
    """Through (time_s, x_m, y_m), at rest before the first and after the last."""
    times, xs, ys = ([stop[i] for stop in stops] for i in range(3))
    return lambda t: (float(np.interp(t, times, xs)), float(np.interp(t, times, ys)))


def lie_from(path: Way, from_s: float, until_s: float = 1e9) -> Way:
    """`path`, on the ground for a while."""

    def at(t: float) -> Sequence[float]:
        place = path(t)
        return (*place, 1.0) if from_s <= t < until_s else place

    return at


def ring(x: float, y: float, count: int, arrive_s: float, radius_m: float = 1.3) -> list[Way]:
    """`count` people who come from 6 m away and stand around (x, y) from `arrive_s` on."""
    paths = []
    for index in range(count):
        a = 2 * math.pi * index / count
        near = (x + radius_m * math.cos(a), y + radius_m * math.sin(a))
        far = (x + 6 * math.cos(a), y + 6 * math.sin(a))
        paths.append(walk((arrive_s - 4, *far), (arrive_s, *near)))
    return paths


def scenes(
    paths: Sequence[Way], seconds: float, score: Callable[[float], float] | None = None, where: Way | None = None
) -> list[Scene]:
    """What the engine would show a behaviour, five times a second; its region is at `where`, or follows the first."""
    made: list[Scene] = []
    scored: list[tuple[float, float]] = []
    for step in range(int(seconds * FPS)):
        t = step / FPS
        tracks = tuple(_track(index + 1, place, t) for index, path in enumerate(paths) if (place := path(t)))
        regions: tuple[ScoredRegion, ...] = ()
        if score is not None:
            x, y = _px((paths[0] if where is None else where)(t))
            scored.append((t, score(t)))
            region = Region(1, (x - 70, y - 115, 140), 0.0, t, 0, 0.5, 5.0, 1.5)
            regions = (ScoredRegion(region, scored[-1][1], tuple(scored[-50:])),)
        made.append(
            Scene(
                camera_id="gate",
                time_s=t,
                gap_s=0.0 if step == 0 else 1 / FPS,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
                tracks=tracks,
                detections=Detections.empty(),
                detection_track_id=np.empty(0, np.int64),
                zones={"forecourt": ZONE, "pitch": Zone("pitch", ((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)))},
                ground=GROUND,
                view=View(ViewState.USABLE, 120.0, 50.0),
                regions=regions,
            )
        )
    return made


def _px(place: Sequence[float]) -> tuple[float, float]:
    return place[0] / 20 * WIDTH_PX, (1.0 - 0.8 * place[1] / 12) * HEIGHT_PX


def _track(track_id: int, place: Sequence[float], time_s: float) -> Track:
    x, y = _px(place)
    wide, tall = (TALL_PX, TALL_PX * 0.45) if len(place) == 3 else (TALL_PX * 0.4, TALL_PX)
    box = (x - wide / 2, y - tall, x + wide / 2, y)
    return Track(track_id, TrackState.CONFIRMED, 0, box, (0.0, 0.0), 0.0, time_s, 0.9)


def incidents(shown: Sequence[Scene], sensitivity: Sensitivity = "normal", **parameters: Any) -> list[Incident]:
    """What the rule tells of these scenes, in order."""
    rule = RuleSpec("r", "possible_bullying", "forecourt", Parameters(sensitivity, **parameters))
    behaviour = PossibleBullying("gate", rule)
    return [incident for scene in shown for incident in behaviour.step(scene).incidents]


def opened(messages: Sequence[Incident]) -> list[Incident]:
    """The first messages of incidents that opened."""
    return [m for m in messages if m.phase is Phase.OPENED]
