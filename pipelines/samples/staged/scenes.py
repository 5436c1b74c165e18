"""The suite of staged scenes that rules are judged by: each with its own truth, drawn when asked for.

Vehicles stop in the same no-parking zone as in the clip `gate`, people gather on the same forecourt. All scenes are
deterministic; one takes some ten seconds of CPU to draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.crowds import crowd_scenes
from pipelines.samples.staged.scene import Scene
from pipelines.samples.staged.scenes_bay import bay_scenes
from pipelines.samples.staged.scenes_bus import BUS, bus_scenes
from pipelines.samples.staged.scenes_ground import ground_scenes
from pipelines.samples.staged.scenes_motorcycle import MOTORCYCLE, motorcycle_scenes
from pipelines.samples.staged.scenes_people import people_scenes
from pipelines.samples.staged.scenes_road import road_scenes
from pipelines.samples.staged.scenes_weather import weather_scenes
from pipelines.samples.staged.setting import Setting
from pipelines.samples.staged.vehicles import Vehicles


@dataclass(frozen=True)
class Suite:
    """The scenes in the order of the table in docs/, and those that lack their picture: name -> why."""

    scenes: Sequence[Scene]
    skipped: Mapping[str, str]


def suite(company: Company, vehicles: Vehicles) -> Suite:
    """Every scene that can be drawn."""
    setting = Setting(company)
    scenes = [*road_scenes(setting), *ground_scenes(setting), *bay_scenes(setting)]
    skipped: dict[str, str] = {}
    if vehicles.bus is None:
        skipped |= dict.fromkeys(BUS, "there is no picture of a bus")
    else:
        scenes += bus_scenes(setting, vehicles.bus)
    if vehicles.motorcycle is None:
        skipped |= dict.fromkeys(MOTORCYCLE, "there is no picture of a motorcycle")
    else:
        scenes += motorcycle_scenes(setting, vehicles.motorcycle)
    scenes += [*weather_scenes(setting), *people_scenes(setting), *crowd_scenes(company)]
    return Suite(scenes, skipped)
