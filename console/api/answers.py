"""What a person does: answer, judge, note, raise by hand, silence a rule. The doing is `pipelines.alerting.actions`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path

from console.access import allow
from console.api import shapes
from console.api.common import CameraId, IncidentId, incident_json, refusals, router
from console.gate import TheseParts, ThisCaller
from console.problems import not_found
from pipelines.access.roles import Permission
from pipelines.alerting import actions, by_hand
from pipelines.config.explain import rule_kinds
from pipelines.config.schema import Camera
from pipelines.errors import BadInput
from pipelines.store import changes, snoozes, threads

api = router("answers")
_ANSWERED = refusals(404, 409)


@api.get("/open", response_model=list[shapes.Incident])
@allow(Permission.SEE, background=True)
def list_open(parts: TheseParts, caller: ThisCaller) -> Any:
    """The queue: incidents that somebody is told of and nobody closed, most severe first, then newest; at most 200."""
    with parts.database.read() as connection:
        # A scope may hide most of them, so the bound is on what is seen.
        waiting = threads.unanswered(connection, 2000)
        ids = [row["incident_id"] for row in waiting if caller.principal.sees(row["camera"])][:200]
        return [incident_json(row) for row in changes.incidents_with_threads(connection, ids)]


@api.post("/incidents/{incident_id}/acknowledge", response_model=shapes.Thread, responses=_ANSWERED)
@allow(Permission.ANSWER)
def acknowledge(parts: TheseParts, caller: ThisCaller, incident_id: IncidentId, asked: shapes.Note) -> Any:
    """ "I have seen it and I see to it." 409 tells who was first."""
    return asdict(
        actions.acknowledge(parts.database, incident_id, who=caller.name, now_s=parts.clock.now_s(), note=asked.note)
    )


@api.post("/incidents/{incident_id}/on-site", response_model=shapes.Thread, responses=_ANSWERED)
@allow(Permission.ANSWER)
def on_site(parts: TheseParts, caller: ThisCaller, incident_id: IncidentId, asked: shapes.Note) -> Any:
    """ "I am there." """
    return asdict(
        actions.on_site(parts.database, incident_id, who=caller.name, now_s=parts.clock.now_s(), note=asked.note)
    )


@api.post("/incidents/{incident_id}/close", response_model=shapes.Thread, responses=_ANSWERED)
@allow(Permission.ANSWER)
def close(parts: TheseParts, caller: ThisCaller, incident_id: IncidentId, asked: shapes.Answer) -> Any:
    """It is over, and this is what it was."""
    now_s = parts.clock.now_s()
    return asdict(
        actions.close(parts.database, incident_id, asked.verdict, who=caller.name, now_s=now_s, note=asked.note)
    )


@api.post("/incidents/{incident_id}/verdict", response_model=shapes.Thread, responses=_ANSWERED)
@allow(Permission.JUDGE)
def judge(parts: TheseParts, caller: ThisCaller, incident_id: IncidentId, asked: shapes.Answer) -> Any:
    """A verdict, also on what was closed before: the newest counts, all are kept."""
    now_s = parts.clock.now_s()
    return asdict(
        actions.judge(parts.database, incident_id, asked.verdict, who=caller.name, now_s=now_s, note=asked.note)
    )


@api.post("/incidents/{incident_id}/note", status_code=204, responses=refusals(404))
@allow(Permission.JUDGE)
def note(parts: TheseParts, caller: ThisCaller, incident_id: IncidentId, asked: shapes.Words) -> None:
    """Words for whoever looks at it later."""
    actions.add_note(parts.database, incident_id, asked.text, who=caller.name, now_s=parts.clock.now_s())


@api.post("/cameras/{camera}/incidents", status_code=202, response_model=shapes.Raised, responses=refusals(404))
@allow(Permission.ANSWER)
def raise_by_hand(parts: TheseParts, caller: ThisCaller, camera: CameraId, asked: shapes.Raising) -> Any:
    """What no rule saw. It goes the way of every other: to the bus now, into the record when a dispatcher has taken it."""
    settings = _camera(parts, camera)
    if asked.zone and asked.zone not in settings.zones:
        raise BadInput(f"camera {camera} has no zone {asked.zone!r}")
    kinds = (*rule_kinds(), by_hand.OTHER)
    if asked.kind not in kinds:
        raise BadInput(f"there is no kind {asked.kind!r}; known: {', '.join(kinds)}")
    now_s = parts.clock.now_s()
    raised = by_hand.Raised(
        kind=asked.kind,
        camera=camera,
        camera_name=settings.name or camera,
        at_s=now_s if asked.at_s is None else asked.at_s,
        note=asked.note,
        plate=asked.plate,
        severity=asked.severity,
        zone=asked.zone,
        incident_id=by_hand.new_id(),
    )
    parts.publish(by_hand.event_of(raised, who=caller.name, now_s=now_s, config_version=parts.config_version))
    return {"incident_id": raised.incident_id}


@api.get("/snoozes", response_model=list[shapes.Snooze])
@allow(Permission.SEE)
def list_snoozes(parts: TheseParts, caller: ThisCaller) -> Any:
    """Rules that tell nobody just now."""
    with parts.database.read() as connection:
        rows = snoozes.in_force(connection, parts.clock.now_s())
    return [row for row in rows if caller.principal.sees(row["camera"])]


@api.post("/cameras/{camera}/snoozes", status_code=201, response_model=shapes.Snoozed, responses=refusals(404))
@allow(Permission.ANSWER)
def snooze(parts: TheseParts, caller: ThisCaller, camera: CameraId, asked: shapes.Snoozing) -> Any:
    """Tell nobody of what a rule finds until `until_s` (at most 31 days). Level 1 is told all the same."""
    rules = {rule.rule_id(rule.kind): rule.severity for rule in _camera(parts, camera).rules}
    if asked.rule not in rules:
        raise BadInput(f"camera {camera} has no rule {asked.rule!r}; known: {', '.join(rules) or 'none'}")
    number = actions.snooze(
        parts.database,
        camera,
        asked.rule,
        severity=rules[asked.rule],
        until_s=asked.until_s,
        reason=asked.reason,
        who=caller.name,
        now_s=parts.clock.now_s(),
    )
    return {"snooze_id": number}


@api.delete("/cameras/{camera}/snoozes/{snooze_id}", status_code=204, responses=refusals(404))
@allow(Permission.ANSWER)
def end_snooze(
    parts: TheseParts, caller: ThisCaller, camera: CameraId, snooze_id: Annotated[int, Path(ge=1, le=2**53)]
) -> None:
    """Before its time."""
    now_s = parts.clock.now_s()
    with parts.database.read() as connection:
        known = {row["snooze_id"] for row in snoozes.in_force(connection, now_s, camera)}
    if snooze_id not in known:
        raise not_found("the camera has no such snooze in force")
    actions.unsnooze(parts.database, snooze_id, who=caller.name, now_s=now_s)


def _camera(parts: TheseParts, camera: str) -> Camera:
    found = parts.config.cameras.get(camera)
    if found is None:
        raise not_found("there is no such camera")
    return found
