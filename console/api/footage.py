"""Recorded footage: what there is and why the rest is not, segments and clips with byte ranges, cut videos, holds.

Everything that shows footage is in the audit, once for each viewing, and in the footage's own journal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Final

from fastapi import Path, Query
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from console.access import allow
from console.api import footage_shapes as shapes
from console.api.common import CameraId, IncidentId, noted, refusals, router, viewed
from console.api.shapes import Time
from console.gate import Caller, TheseParts, ThisCaller
from console.parts import Parts
from console.problems import Problem, not_found
from pipelines.access.roles import Permission
from pipelines.errors import BadInput
from pipelines.recording.coverage import Span
from pipelines.recording.footage import Footage
from pipelines.recording.holds import Hold, Holds
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.store import queries
from pipelines.store.queries import IncidentFilter

api = router("footage")

_LONGEST_LINE_S: Final = 31 * 86_400.0
_LONGEST_LIST_S: Final = 86_400.0
_LONGEST_CUT_S: Final = 3_600.0
_MP4: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"video/mp4": {}}},
    206: {"content": {"video/mp4": {}}, "description": "a part (Range)"},
    416: {"content": {"text/plain": {}}, "description": "no such part"},
    **refusals(404),
}
Reason = Annotated[str, Query(min_length=1, max_length=500, pattern=r"\S", description="why; it stands in the audit")]
From = Annotated[Time, Query(description="Unix seconds")]
To = Annotated[Time, Query(description="Unix seconds")]


@api.get("/cameras/{camera}/timeline", response_model=shapes.Timeline, responses=refusals(404))
@allow(Permission.WATCH)
def timeline(parts: TheseParts, camera: CameraId, from_s: From, to_s: To) -> Any:
    """What is recorded of at most 31 days, gaps with their cause; incidents, clips and holds on it."""
    _check_span(from_s, to_s, _LONGEST_LINE_S)
    footage = _footage_of(parts, camera)
    found = footage.coverage(camera, from_s, to_s)
    now_ms = round(parts.clock.now_s() * 1000)
    wanted = IncidentFilter(since_s=max(0.0, from_s), until_s=to_s, camera=camera)
    with parts.database.read() as connection:
        marks = queries.list_incidents(connection, wanted, 1000).rows
    with Index.open(footage.volume.index) as index:
        held = [hold for hold in Holds(index, _journal(footage)).all() if hold.in_force(now_ms)]
    return {
        "camera": camera,
        "from_s": from_s,
        "to_s": to_s,
        "completeness": found.completeness,
        "recorded": [_span(span) for span in found.recorded],
        "gaps": [
            {"from_s": gap.from_ms / 1000, "to_s": gap.to_ms / 1000, "cause": gap.cause.value, "detail": gap.detail}
            for gap in found.gaps
        ],
        "incidents": marks,
        "clips": [_span(clip.span) | {"incident_id": clip.incident_id} for clip in footage.clips(camera, from_s, to_s)],
        "holds": [
            _span(hold.span) | {"hold_id": hold.hold_id, "reason": hold.reason}
            for hold in held
            if camera in hold.cameras and hold.span.from_ms < to_s * 1000 and hold.span.to_ms > from_s * 1000
        ],
    }


@api.get("/cameras/{camera}/segments", response_model=list[shapes.Segment], responses=refusals(404))
@allow(Permission.WATCH)
def list_segments(parts: TheseParts, camera: CameraId, from_s: From, to_s: To) -> Any:
    """What can be played of at most a day, in order."""
    _check_span(from_s, to_s, _LONGEST_LIST_S)
    return [
        {
            "start_s": segment.start_ms / 1000,
            "end_s": segment.end_ms / 1000,
            "size_bytes": segment.size_bytes,
            "sha256": segment.sha256,
            "run": segment.run,
            "url": f"/api/v1/cameras/{camera}/segments/{segment.start_ms}",
        }
        for segment in _footage_of(parts, camera).segments(camera, from_s, to_s)
    ]


@api.get("/cameras/{camera}/segments/{start_ms}", response_class=FileResponse, responses=_MP4)
@allow(Permission.WATCH)
def segment(
    parts: TheseParts, caller: ThisCaller, camera: CameraId, start_ms: Annotated[int, Path(ge=0, lt=10**13)]
) -> FileResponse:
    """One recorded segment (fragmented MP4) as it lies on the disk; takes Range."""
    footage = _footage_of(parts, camera)
    for found in footage.segments(camera, start_ms / 1000, start_ms / 1000 + 0.001):
        if found.start_ms == start_ms:
            hour_ms = start_ms - start_ms % 3_600_000
            _seen(parts, footage, caller, "footage.view", f"camera {camera} hour {hour_ms // 1000}", {"camera": camera})
            return _file(footage.path(found))
    raise not_found("there is no such segment (any more)")


@api.get("/incidents/{incident_id}/clip", response_class=FileResponse, responses=_MP4)
@allow(Permission.WATCH)
def clip(parts: TheseParts, caller: ThisCaller, incident_id: IncidentId) -> FileResponse:
    """The incident's clip (MP4); takes Range. 404 until its end has been recorded."""
    footage = parts.footage()
    found = footage.clip(incident_id)
    if found is None:
        raise not_found("the incident has no clip (yet)")
    _seen(parts, footage, caller, "clip.view", f"incident {incident_id}", {"camera": found.camera})
    return _file(footage.path(found))


@api.get("/cameras/{camera}/video", response_class=FileResponse, responses=_MP4)
@allow(Permission.EXPORT, originals=True)
def video(
    parts: TheseParts, caller: ThisCaller, camera: CameraId, from_s: From, to_s: To, reason: Reason
) -> FileResponse:
    """A video of exactly that time, at most an hour, streams copied."""
    _check_span(from_s, to_s, _LONGEST_CUT_S)
    footage = _footage_of(parts, camera)
    folder = tempfile.TemporaryDirectory(prefix="gatewatch-cut-")
    target = FilePath(folder.name) / f"{camera}.mp4"
    try:
        footage.cut(camera, from_s, to_s, target)
    except BaseException:
        folder.cleanup()
        raise
    detail = {"camera": camera, "from_s": from_s, "to_s": to_s, "reason": reason}
    noted(parts, caller, "footage.export", f"camera {camera}", detail)
    footage.saw(caller.name, "export", reason, detail)
    name = f"{camera}-{from_s:.0f}-{to_s:.0f}.mp4"
    return FileResponse(target, media_type="video/mp4", filename=name, background=BackgroundTask(folder.cleanup))


@api.post("/cameras/{camera}/snapshots", status_code=204, response_class=Response, responses=refusals(404))
@allow(Permission.WATCH)
def snapshot(parts: TheseParts, caller: ThisCaller, camera: CameraId, asked: shapes.Snapshot) -> Response:
    """Say that a picture of the recording is being kept: a page cuts it out of what it plays, so it says so before."""
    footage = _footage_of(parts, camera)
    detail = {"camera": camera, "at_s": asked.at_s}
    noted(parts, caller, "footage.snapshot", f"camera {camera}", detail)
    footage.saw(caller.name, "snapshot", "", detail)
    return Response(status_code=204)


@api.get("/holds", response_model=list[shapes.Hold])
@allow(Permission.WATCH)
def list_holds(parts: TheseParts, caller: ThisCaller) -> Any:
    """Every hold ever made whose cameras the caller may all see, oldest first."""
    footage = parts.footage()
    with Index.open(footage.volume.index) as index:
        found = Holds(index, _journal(footage)).all()
    return [_hold(hold, parts) for hold in found if all(caller.principal.sees(name) for name in hold.cameras)]


@api.post("/holds", status_code=201, response_model=shapes.Hold)
@allow(Permission.HOLD)
def place_hold(parts: TheseParts, caller: ThisCaller, asked: shapes.Holding) -> Any:
    """Nothing in it is deleted until it is released or has expired."""
    for camera in asked.cameras:
        if camera not in parts.config.cameras or not caller.principal.sees(camera):
            raise BadInput(f"there is no camera {camera!r}")
    footage, now_ms = parts.footage(), round(parts.clock.now_s() * 1000)
    with Index.open(footage.volume.index, durable=True) as index:
        placed = Holds(index, _journal(footage)).place(
            asked.cameras,
            Span(round(asked.from_s * 1000), round(asked.to_s * 1000)),
            reason=asked.reason,
            owner=asked.owner,
            actor=caller.name,
            now_ms=now_ms,
            expires_ms=None if asked.expires_s is None else round(asked.expires_s * 1000),
        )
    detail = {"cameras": asked.cameras, "from_s": asked.from_s, "to_s": asked.to_s, "reason": asked.reason}
    noted(parts, caller, "hold.place", f"hold {placed.hold.hold_id}", detail)
    return _hold(placed.hold, parts) | {"too_late": placed.too_late}


@api.post("/holds/{hold_id}/release", response_model=shapes.Hold)
@allow(Permission.OPERATE, whole_site=True)
def release_hold(
    parts: TheseParts,
    caller: ThisCaller,
    hold_id: Annotated[str, Path(min_length=1, max_length=64)],
    asked: shapes.Releasing,
) -> Any:
    """What it held goes the way of all footage again."""
    footage = parts.footage()
    with Index.open(footage.volume.index, durable=True) as index:
        hold = Holds(index, _journal(footage)).release(
            hold_id, reason=asked.reason, actor=caller.name, now_ms=round(parts.clock.now_s() * 1000)
        )
    noted(parts, caller, "hold.release", f"hold {hold_id}", {"reason": asked.reason})
    return _hold(hold, parts)


def _check_span(from_s: float, to_s: float, longest_s: float) -> None:
    if not from_s < to_s <= from_s + longest_s:
        raise BadInput(f"to_s lies after from_s, by at most {longest_s / 3600:g} hours")


def _footage_of(parts: Parts, camera: str) -> Footage:
    if camera not in parts.config.cameras:
        raise not_found("there is no such camera")
    return parts.footage()


def _seen(parts: Parts, footage: Footage, caller: Caller, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    if parts.viewings.begins((caller.principal.key, "journal", action, subject)):
        footage.saw(caller.name, action, "", {"subject": subject, **detail})
    viewed(parts, caller, action, subject, detail)


def _file(path: FilePath) -> FileResponse:
    if not path.is_file():
        raise Problem(404, "not_found", "the footage is not there any more")
    return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": "private, no-store"})


def _journal(footage: Footage) -> Journal:
    return Journal(footage.volume.journal / "audit.jsonl")


def _span(span: Span) -> dict[str, Any]:
    return {"from_s": span.from_ms / 1000, "to_s": span.to_ms / 1000}


def _hold(hold: Hold, parts: Parts) -> dict[str, Any]:
    return {
        "hold_id": hold.hold_id,
        "cameras": list(hold.cameras),
        **_span(hold.span),
        "reason": hold.reason,
        "owner": hold.owner,
        "created_by": hold.created_by,
        "created_s": hold.created_ms / 1000,
        "expires_s": None if hold.expires_ms is None else hold.expires_ms / 1000,
        "released_s": None if hold.released_ms is None else hold.released_ms / 1000,
        "released_by": hold.released_by,
        "in_force": hold.in_force(round(parts.clock.now_s() * 1000)),
        "too_late": 0,
    }
