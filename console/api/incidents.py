"""Incidents, alerts, and the pictures of incidents."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import Path
from fastapi.responses import Response

from console.access import allow
from console.api import shapes
from console.api.common import (
    AlertId,
    IncidentId,
    Limit,
    PageCursor,
    Since,
    Until,
    Word,
    incident_json,
    refusals,
    router,
    viewed,
)
from console.api.filters import Wanted
from console.gate import TheseParts, ThisCaller
from console.problems import not_found
from pipelines.access.roles import Permission
from pipelines.alerting.channels.base import NoPicture
from pipelines.alerting.pictures import PictureDesk
from pipelines.store import changes, queries
from pipelines.store.queries import AlertFilter
from pipelines.store.stills import with_stills

api = router("incidents")


@api.get("/incidents", response_model=shapes.Incidents)
@allow(Permission.SEE)
def list_incidents(parts: TheseParts, wanted: Wanted, limit: Limit = 50, cursor: PageCursor = None) -> Any:
    """Incidents by the time they opened, newest first."""
    with parts.database.read() as connection:
        page = queries.list_incidents(connection, wanted, limit, cursor)
        rows = changes.incidents_with_threads(connection, [row["incident_id"] for row in page.rows])
    return {"incidents": [incident_json(row) for row in rows], "cursor": page.cursor}


@api.get("/incidents/{incident_id}", response_model=shapes.WholeIncident, responses=refusals(404))
@allow(Permission.SEE)
def show_incident(parts: TheseParts, incident_id: IncidentId) -> Any:
    """One incident with its alerts, verdicts, and what happened to it."""
    with parts.database.read() as connection:
        found = queries.show_incident(connection, incident_id)
    if found is None:
        raise not_found("there is no such incident")
    return incident_json(found)


@api.get("/incidents/{incident_id}/events", response_model=list[shapes.IncidentEvent], responses=refusals(404))
@allow(Permission.SEE)
def events_of_incident(parts: TheseParts, incident_id: IncidentId) -> Any:
    """Every message about it, warnings included, as it came."""
    return _whole(parts, incident_id)["events"]


@api.get("/incidents/{incident_id}/alerts", response_model=list[shapes.AlertWithDeliveries], responses=refusals(404))
@allow(Permission.SEE)
def alerts_of_incident(parts: TheseParts, incident_id: IncidentId) -> Any:
    """Who was told, through which channels, and how that went."""
    return _whole(parts, incident_id)["alerts"]


@api.get("/incidents/{incident_id}/deliveries", response_model=list[shapes.Delivery], responses=refusals(404))
@allow(Permission.SEE)
def deliveries_of_incident(parts: TheseParts, incident_id: IncidentId) -> Any:
    """Every delivery of it, oldest first."""
    with parts.database.read() as connection:
        return queries.deliveries_of(connection, incident_id)


@api.get(
    "/incidents/{incident_id}/pictures/{number}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **refusals(404)},
)
@allow(Permission.SEE)
def picture_of_incident(
    parts: TheseParts, caller: ThisCaller, incident_id: IncidentId, number: Annotated[int, Path(ge=0, le=1000)]
) -> Response:
    """The JPEG; blurred for roles that `console.blurred_for` names. Each viewing is in the audit."""
    found = _whole(parts, incident_id)
    return _shown(parts, caller, found, _numbered(found, number))


@api.get(
    "/incidents/{incident_id}/pictures/{number}/main",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **refusals(404)},
)
@allow(Permission.SEE)
def main_picture_of_incident(
    parts: TheseParts, caller: ThisCaller, incident_id: IncidentId, number: Annotated[int, Path(ge=0, le=1000)]
) -> Response:
    """The same moment from the recorded main stream, as `pictures/{number}` is given."""
    found = _whole(parts, incident_id)
    still = _numbered(found, number)["main"]
    if still is None or still.get("missing") is not None:
        raise not_found("there is no picture of the recorded main stream")
    return _shown(parts, caller, found, still)


def _numbered(found: dict[str, Any], number: int) -> dict[str, Any]:
    pictures = with_stills(found)
    if number >= len(pictures):
        raise not_found("the incident has no such picture")
    return pictures[number]


def _shown(parts: TheseParts, caller: ThisCaller, found: dict[str, Any], record: dict[str, Any]) -> Response:
    blur = not parts.unblurred(caller.principal)
    desk = PictureDesk(FilePath(parts.config.data) / "pictures")
    event = {"data": {"pictures": [record]}}
    try:
        picture = desk.blurred(event) if blur else desk.original(event)
    except NoPicture as error:
        words = {"unblurrable": "this picture cannot be blurred, so your role does not see it"}
        raise not_found(words.get(error.reason, "the picture is not there (any more)")) from error
    detail = {"camera": found["camera"], "role": str(record.get("role", "")), "blurred": blur}
    main = "of" in record
    if main:
        detail["source"] = str(record.get("source"))
    viewed(parts, caller, "picture.view", f"incident {found['incident_id']}", detail, "main" if main else "")
    return Response(picture.content, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


def _whole(parts: TheseParts, incident_id: str) -> dict[str, Any]:
    with parts.database.read() as connection:
        found = queries.show_incident(connection, incident_id)
    if found is None:
        raise not_found("there is no such incident")
    return found


@api.get("/alerts", response_model=shapes.Alerts)
@allow(Permission.SEE)
def list_alerts(
    parts: TheseParts,
    caller: ThisCaller,
    since_s: Since = None,
    until_s: Until = None,
    state: Literal["pending", "sent", "escalated", "acknowledged", "on_site", "closed", "failed", "expired"]
    | None = None,
    recipient: Word = None,
    incident: Word = None,
    limit: Limit = 50,
    cursor: PageCursor = None,
) -> Any:
    """Alerts by the time they were made, newest first."""
    wanted = AlertFilter(
        since_s=since_s,
        until_s=until_s,
        state=state,
        recipient=recipient,
        incident_id=incident,
        cameras=caller.principal.cameras,
    )
    with parts.database.read() as connection:
        page = queries.list_alerts(connection, wanted, limit, cursor)
    return {"alerts": page.rows, "cursor": page.cursor}


@api.get("/alerts/{alert_id}", response_model=shapes.Alert, responses=refusals(404))
@allow(Permission.SEE)
def show_alert(parts: TheseParts, alert_id: AlertId) -> Any:
    """One alert."""
    with parts.database.read() as connection:
        found = changes.alerts_with_cameras(connection, [alert_id])
    if not found:
        raise not_found("there is no such alert")
    return found[0]
