"""The COCO class ids that Gatewatch speaks of (80-class numbering used by YOLO models trained on COCO 2017)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

PERSON: Final = 0
BICYCLE: Final = 1
CAR: Final = 2
MOTORCYCLE: Final = 3
BUS: Final = 5
TRUCK: Final = 7

#: Name of every class that a rule may name in YAML.
NAMES: Final = MappingProxyType(
    {PERSON: "person", BICYCLE: "bicycle", CAR: "car", MOTORCYCLE: "motorcycle", BUS: "bus", TRUCK: "truck"}
)
IDS: Final = MappingProxyType({name: class_id for class_id, name in NAMES.items()})

#: What `illegal_parking` watches unless a rule says otherwise; bicycles only by choice.
VEHICLES: Final = frozenset({CAR, MOTORCYCLE, BUS, TRUCK})
