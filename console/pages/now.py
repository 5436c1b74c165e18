"""What happens now: the wall of cameras, and the queue of alerts that somebody has to answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import allow
from console.api.common import pictures_json
from console.gate import TheseParts, ThisCaller
from console.pages.login import frame
from console.parts import Parts
from pipelines.access.roles import Permission, Principal
from pipelines.alerting.facts import Manner, facts_of
from pipelines.config.build import camera_spec
from pipelines.events.envelope import ANALYSED
from pipelines.store import threads
from pipelines.store.people import note
from pipelines.store.queries import IncidentFilter, list_incidents

router = APIRouter(include_in_schema=False)
#: So many earlier incidents of the same kind and place are shown.
_BEFORE: Final = 6


@router.get("/now")
@allow(Permission.SEE)
def now(request: Request, parts: TheseParts, caller: ThisCaller) -> Response:
    with parts.database.write() as connection:
        note(connection, parts.clock.now_s(), caller.name, "view.wall", "live pictures", {})
    data = {
        "cameras": cameras_of(parts, caller.principal),
        "may": {
            "answer": caller.principal.may(Permission.ANSWER),
            "judge": caller.principal.may(Permission.JUDGE),
            "watch": caller.principal.may(Permission.WATCH) and parts.unblurred(caller.principal),
            "video": parts.unblurred(caller.principal),
        },
        "me": caller.name,
        "timezone": parts.config.site.timezone,
    }
    words = ("now.", "kind.", "severity.", "state.", "view.", "verdict.", "role.", "footage.")
    return frame(request).page(request, "now.html", {}, script_words=words, data=data)


def cameras_of(parts: Parts, principal: Principal) -> list[dict[str, Any]]:
    """What a page draws of each camera that `principal` may know of: no address is in it."""
    found = []
    for camera_id, camera in parts.config.cameras.items():
        if not principal.sees(camera_id):
            continue
        spec = camera_spec(parts.config, camera_id)
        found.append(
            {
                "camera": camera_id,
                "name": camera.name or camera_id,
                "zones": {name: [list(point) for point in zone.polygon_norm] for name, zone in spec.zones.items()},
                "rules": [{"rule": rule.rule_id, "kind": rule.kind, "zone": rule.zone_id} for rule in spec.rules],
            }
        )
    return found


@router.get("/live/queue")
@allow(Permission.SEE, background=True)
def queue(parts: TheseParts, caller: ThisCaller) -> dict[str, Any]:
    """What nobody closed yet, gravest first: the threads with their incidents."""
    with parts.database.read() as connection:
        rows = threads.unanswered(connection)
    seen = [row for row in rows if caller.principal.sees(row["camera"])]
    return {"now_s": parts.clock.now_s(), "rows": seen}


@router.get("/live/incidents/{incident_id}")
@allow(Permission.SEE)
def incident(request: Request, parts: TheseParts, caller: ThisCaller, incident_id: str) -> dict[str, Any]:
    """One incident as the page shows it: in words, with what was done and what was here before."""
    with parts.database.read() as connection:
        found = threads.incident_of(connection, incident_id)
        body = threads.newest_event(connection, incident_id)
        thread = threads.get(connection, incident_id)
        log = threads.history(connection, incident_id)
        here = IncidentFilter(camera=found["camera"], zone=found["zone"], kind=found["kind"], until_s=found["opened_s"])
        before = list_incidents(connection, here, _BEFORE, None).rows
    manner = Manner(frame(request).language(request), parts.config.site.timezone, parts.config.site.name)
    facts = facts_of(body, manner)
    shown = ("incident_id", "camera", "camera_name", "kind", "rule", "zone", "severity", "drill", "verdict")
    times = ("first_seen_s", "opened_s", "closed_s")
    return {name: found[name] for name in (*shown, *times)} | {
        "facts": [[one.label, one.text] for one in facts.evidence],
        "sentence": facts.sentence,
        "action": facts.action,
        "lasted": facts.lasted,
        "reason": facts.reason,
        "thread": None if thread is None else asdict(thread),
        "log": log,
        "before": [{name: row[name] for name in ("incident_id", "kind", "opened_s", "verdict")} for row in before],
        "pictures": [_shown(picture, parts.unblurred(caller.principal)) for picture in pictures_json(found)],
        "clip": f"/api/v1/incidents/{incident_id}/clip",
    }


def _shown(picture: dict[str, Any], unblurred: bool) -> dict[str, Any]:
    """A picture as the page shows it: the recorded main stream's where that is larger and this person may see it, with
    whose it is and, where it is the analysed one, why. `other` is the analysed one beside the main one."""
    main = picture["main"]
    why = None if main is None else main["missing"]
    if main is not None and why is None and not (unblurred or main["blurrable"]):
        why = "not_blurrable"
    given = main if main is not None and why is None and main["width"] >= (picture["width"] or 0) else None
    shown = given or picture
    return {
        "role": picture["role"],
        "url": shown["url"],
        "source": "main" if given is not None else "analysed" if picture["source"] == ANALYSED else "",
        "width": shown["width"],
        "height": shown["height"],
        "off_s": None if given is None else given["off_s"],
        "why": why,
        "other": None if given is None else {name: picture[name] for name in ("url", "width", "height")},
    }
