"""One behaviour, one file, one line in the dict below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from vision.behaviours import crowding, illegal_parking, possible_bullying
from vision.behaviours.behaviour import Behaviour, Outcome
from vision.camera import RuleSpec

#: The kinds of rule that exist. A factory takes the camera's id and the rule.
BEHAVIOURS: Final[Mapping[str, Callable[[str, RuleSpec], Behaviour]]] = MappingProxyType(
    {
        "illegal_parking": illegal_parking.IllegalParking,
        "crowding": crowding.Crowding,
        "possible_bullying": possible_bullying.PossibleBullying,
    }
)

__all__ = ["BEHAVIOURS", "Behaviour", "Outcome"]
