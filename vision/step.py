"""What the engine gives for one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vision.detection import Detections
from vision.incident import Incident, PictureRequest
from vision.moment import Moment
from vision.scene import Scene
from vision.tracking import Tracking


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one picture brought. `incidents` are messages in order; `changed`: the state of a case changed, save a
    snapshot. `moment` is all that it was judged from: `Engine.recall` judges it again.
    """

    incidents: tuple[Incident, ...]
    pictures: tuple[PictureRequest, ...]
    scene: Scene | None
    changed: bool
    moment: Moment | None = None


class Tracked(NamedTuple):
    """`detections` of one picture, which of them are `seen`, and which tracks took those."""

    detections: Detections
    seen: Detections
    tracking: Tracking
