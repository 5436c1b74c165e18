"""The cameras that the caller may see: names, zones and rules, never an address."""

from __future__ import annotations

from collections import Counter
from typing import Any

from console.access import allow
from console.api import shapes
from console.api.common import CameraId, refusals, router, visible
from console.gate import Caller, TheseParts, ThisCaller
from console.parts import Parts
from console.problems import not_found
from pipelines.access.roles import Permission
from pipelines.store import snoozes
from pipelines.store.scope import open_incidents

api = router("cameras")


@api.get("/cameras", response_model=list[shapes.Camera])
@allow(Permission.SEE, background=True)
def list_cameras(parts: TheseParts, caller: ThisCaller) -> Any:
    """In the order of the configuration."""
    return _cameras(parts, caller, visible(caller, parts.config.cameras))


@api.get("/cameras/{camera}", response_model=shapes.Camera, responses=refusals(404))
@allow(Permission.SEE)
def show_camera(parts: TheseParts, caller: ThisCaller, camera: CameraId) -> Any:
    """One of them."""
    if camera not in parts.config.cameras:
        raise not_found("there is no such camera")
    return _cameras(parts, caller, [camera])[0]


def _cameras(parts: Parts, caller: Caller, names: list[str]) -> list[dict[str, Any]]:
    with parts.database.read() as connection:
        silent = snoozes.in_force(connection, parts.clock.now_s())
        still_open = Counter(open_incidents(connection, names))
    return [
        {
            "camera": name,
            "name": camera.name or name,
            "zones": {zone: [list(corner) for corner in shape.polygon] for zone, shape in camera.zones.items()},
            "rules": [
                {"id": rule.rule_id(rule.kind), "kind": rule.kind, "zone": rule.zone, "severity": rule.severity}
                for rule in camera.rules
            ],
            "open_incidents": still_open[name],
            "snoozes": [one for one in silent if one["camera"] == name],
        }
        for name, camera in ((name, parts.config.cameras[name]) for name in names)
    ]
