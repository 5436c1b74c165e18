"""What the engine asks of a behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from vision.camera import RuleSpec
from vision.geometry import Box
from vision.incident import Incident, PictureRequest
from vision.scene import Scene
from vision.status import RuleStatus


@dataclass(slots=True)
class Outcome:
    """What one step brought. `changed`: the state of a case changed in a way that a restart must not lose."""

    incidents: list[Incident] = field(default_factory=list)
    pictures: list[PictureRequest] = field(default_factory=list)
    changed: bool = False

    def add(self, more: Outcome) -> None:
        """What another brought besides."""
        self.incidents += more.incidents
        self.pictures += more.pictures
        self.changed = self.changed or more.changed


class Behaviour(Protocol):
    """One rule of one camera. It sees scenes in order and knows time only from them."""

    def step(self, scene: Scene) -> Outcome:
        """Judge one moment."""
        ...

    def places(self) -> Mapping[str, Box]:
        """Places (0..1 of the picture) whose looks the next scene shall hold, by key."""
        ...

    def cases(self) -> frozenset[str]:
        """Incident ids of every case that runs, told already or not."""
        ...

    def status(self, time_s: float) -> tuple[RuleStatus, ...]:
        """What is being watched at `time_s` (that of the last scene), for a screen; changes nothing."""
        ...

    def reconfigure(self, rule: RuleSpec) -> None:
        """Go on with other parameters; what is known of running cases stays."""
        ...

    def close(self, time_s: float, reason: str) -> Outcome:
        """The rule is no more: end what is open."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON values from which `restore` goes on exactly."""
        ...

    def restore(self, state: dict[str, Any]) -> None: ...
