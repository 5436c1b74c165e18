"""To which camera a thing of the record belongs: what a scope is checked against."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from pipelines.store.schema import alerts, incident_events, incidents


def camera_of_incident(connection: Connection, incident_id: str) -> str | None:
    """None: there is no such incident. The whole id is needed."""
    return connection.scalar(select(incidents.c.camera).where(incidents.c.incident_id == incident_id))


def camera_of_alert(connection: Connection, alert_id: str) -> str | None:
    """None: there is no such alert. That of a warning or a test belongs to the camera that its event names."""
    incident_id = connection.scalar(select(alerts.c.incident_id).where(alerts.c.alert_id == alert_id))
    if incident_id is None:
        return None
    camera = camera_of_incident(connection, incident_id)
    if camera is not None:
        return camera
    body = connection.scalar(
        select(incident_events.c.body).where(incident_events.c.incident_id == incident_id).limit(1)
    )
    return str(body["data"].get("camera", "")) if body is not None else ""


def open_incidents(connection: Connection, cameras: Sequence[str]) -> list[str]:
    """The camera of each incident that still goes on at one of `cameras`."""
    return list(
        connection.scalars(
            select(incidents.c.camera).where(incidents.c.closed_s.is_(None), incidents.c.camera.in_(cameras))
        )
    )
