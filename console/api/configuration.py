"""Zones, masks, ground points and rules of a camera: read, tried, put in force, and taken back. For administrators of the
whole site, since it is one file for all cameras."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path

from console import configuring, processes
from console.access import allow
from console.api import configuration_shapes as shapes
from console.api.common import CameraId, refusals, router
from console.configuring import Draft
from console.effects import Effect
from console.gate import TheseParts, ThisCaller
from console.parts import Parts
from console.problems import Problem, not_found
from pipelines.access.roles import Permission
from pipelines.config.drawing import FIELDS, defaults_of, drawing_of
from pipelines.config.loader import version_of
from pipelines.config.versions import Changed, Version, is_writable

api = router("configuration")
EffectId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Number = Annotated[int, Path(ge=1, le=999_999)]


@api.get("/cameras/{camera}/configuration", response_model=shapes.Configuration, responses=refusals(404, 409))
@allow(Permission.CONFIGURE, whole_site=True)
def show(parts: TheseParts, camera: CameraId) -> Any:
    """What can be drawn and set of a camera, as it is in the file now."""
    found = configuring.on_disk(parts)
    config = found.config or parts.config
    if camera not in config.cameras:
        raise not_found("there is no such camera")
    document = None if found.config is None else found.document
    drawn = drawing_of(config.cameras[camera], camera, document)
    who, at_s, _ = configuring.versions_of(parts).last_change(found.path)
    return {
        "camera": camera,
        "name": config.cameras[camera].name or camera,
        "base": found.base,
        "file": found.path.name,
        "writable": is_writable(found.path),
        "faults": [configuring.fault_json(fault, found.path.name, camera) for fault in found.faults],
        "zones": [{"name": zone.name, "polygon": zone.polygon} for zone in drawn.zones],
        "masks": [mask.polygon for mask in drawn.masks],
        "ground": [{"picture": one.picture, "metres": one.metres} for one in drawn.ground],
        "rules": [{"kind": rule.kind, "fields": rule.fields} for rule in drawn.rules],
        "defaults": {kind: defaults_of(kind) for kind in FIELDS},
        "schedules": list(config.schedules),
        "changed_by": who,
        "changed_s": at_s,
    }


@api.post("/cameras/{camera}/configuration/preview", response_model=shapes.Preview, responses=refusals(404, 409))
@allow(Permission.CONFIGURE, whole_site=True)
def preview(parts: TheseParts, camera: CameraId, asked: shapes.Drawing) -> Any:
    """What would change in the file, and what is wrong with it. Nothing is changed."""
    wanted = asked.drawn()
    tried = configuring.draft(parts, camera, asked.base, wanted)
    return {
        "changed": tried.text != tried.before.text,
        "diff": tried.diff(),
        "faults": _faults(tried, camera),
        "ground": configuring.ground_json(wanted),
        "config_version": None if tried.config is None else version_of(tried.config),
    }


@api.post("/cameras/{camera}/configuration", response_model=shapes.Version, responses=refusals(404, 409))
@allow(Permission.CONFIGURE, whole_site=True)
def put_in_force(parts: TheseParts, caller: ThisCaller, camera: CameraId, asked: shapes.Applying) -> Any:
    """Write it to the file, from which every process takes it."""
    tried = configuring.draft(parts, camera, asked.base, asked.drawn())
    return _put(parts, tried, caller.name, asked.why, what="applied", camera=camera)


@api.post("/cameras/{camera}/configuration/effect", response_model=shapes.Effect, responses=refusals(404, 409))
@allow(Permission.CONFIGURE, whole_site=True)
def try_out(parts: TheseParts, caller: ThisCaller, camera: CameraId, asked: shapes.Trying) -> Any:
    """Begin to look what it would have made of the last hours' tracks: `gatewatch replay`. What the caller asked before is
    given up."""
    tried = configuring.draft(parts, camera, asked.base, asked.drawn())
    configuring.check(tried)
    content = tried.content
    return _effect(parts, parts.effects.start(caller.principal.key, tried.before.path, content, camera, asked.hours))


@api.get("/configuration/effects/{effect_id}", response_model=shapes.Effect, responses=refusals(404))
@allow(Permission.CONFIGURE, whole_site=True)
def effect(parts: TheseParts, caller: ThisCaller, effect_id: EffectId) -> Any:
    """How far it is, and what came out."""
    found = parts.effects.get(caller.principal.key, effect_id)
    if found is None:
        raise not_found("there is no such effect, or it is too long ago")
    return _effect(parts, found)


@api.get("/configuration", response_model=shapes.InForce)
@allow(Permission.CONFIGURE, whole_site=True, background=True)
def in_force(parts: TheseParts) -> Any:
    """Which version the console uses, which one the analysis does, and what is wrong with the file."""
    worker = next((one for one in processes.ask_all(parts.config) if one.name == "worker"), None)
    check = worker.checks.get("configuration") if worker is not None else None
    return {
        "config_version": parts.config_version,
        "worker": None if check is None else check[1],
        "file": None if parts.config_path is None else parts.config_path.name,
        "faults": parts.following.faults,
        "needs_restart": parts.following.needs_restart,
    }


@api.get("/configuration/versions", response_model=list[shapes.Version], responses=refusals(409))
@allow(Permission.CONFIGURE, whole_site=True)
def list_versions(parts: TheseParts) -> Any:
    """Newest first."""
    base = configuring.on_disk(parts).base
    known = configuring.versions_of(parts).all()
    # An older one may be the same to the byte: what was put there last is what is in force.
    newest = next((one.number for one in known if one.sha256 == base), None)
    return [_version(one, one.number == newest) for one in known]


@api.get("/configuration/versions/{number}", response_model=shapes.VersionDiff, responses=refusals(404, 409))
@allow(Permission.CONFIGURE, whole_site=True)
def show_version(parts: TheseParts, number: Number) -> Any:
    """What would change if the file became this version again, through the same checker."""
    version, tried = _of_version(parts, number)
    return {
        "version": _version(version, version.sha256 == tried.before.base),
        "base": tried.before.base,
        "diff": tried.diff(),
        "faults": _faults(tried, None),
    }


@api.post("/configuration/versions/{number}/revert", response_model=shapes.Version, responses=refusals(404, 409))
@allow(Permission.CONFIGURE, whole_site=True)
def revert(parts: TheseParts, caller: ThisCaller, number: Number, asked: shapes.Reverting) -> Any:
    """Put it in force again, as a new version."""
    _, tried = _of_version(parts, number)
    if tried.before.base != asked.base:
        raise configuring.changed(*configuring.versions_of(parts).last_change(tried.before.path))
    return _put(parts, tried, caller.name, asked.why, what="reverted", reverted_to=number)


def _of_version(parts: Parts, number: int) -> tuple[Version, Draft]:
    found = configuring.on_disk(parts)
    versions = configuring.versions_of(parts)
    version = next((one for one in versions.all() if one.number == number), None)
    content = versions.content(number)
    if version is None or content is None:
        raise not_found("there is no such version")
    return version, configuring.tried(found, content.decode(errors="replace"))


def _put(parts: Parts, tried: Draft, who: str, why: str, **about: Any) -> dict[str, Any]:
    if parts.config_path is not None and not is_writable(parts.config_path):
        detail = f"{parts.config_path.name} is read-only for the console: take the change over by hand"
        raise Problem(409, "read_only", detail)
    try:
        made = configuring.put(parts, tried, who, why, **about)
    except Changed as error:
        raise configuring.changed(error.who, error.at_s, error.by_hand) from error
    parts.following.wake()
    return _version(made, True)


def _effect(parts: Parts, found: Effect) -> dict[str, Any]:
    names = ("effect_id", "state", "hours", "said", "result")
    return {name: getattr(found, name) for name in names} | {"seconds": parts.effects.seconds(found)}


def _faults(tried: Draft, camera: str | None) -> list[dict[str, Any]]:
    return [configuring.fault_json(fault, tried.before.path.name, camera) for fault in tried.faults]


def _version(version: Version, in_force: bool) -> dict[str, Any]:
    names = ("number", "what", "who", "at_s", "why", "config_version", "camera", "reverted_to")
    return {name: getattr(version, name) for name in names} | {"in_force": in_force}
