"""Live pictures and live video, for the wall and for one camera looked at large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from console import wall
from console.access import allow
from console.gate import Caller, TheseParts, ThisCaller
from console.livevideo import NotPlayable
from console.parts import Parts
from console.problems import not_found
from pipelines.access.roles import Permission
from pipelines.errors import Unavailable
from pipelines.events.live import LivePicture
from pipelines.store.people import note

router = APIRouter(include_in_schema=False)


@router.get("/live/wall")
@allow(Permission.SEE, background=True)
def wall_pictures(parts: TheseParts, caller: ThisCaller, after: Annotated[int, Query(ge=0)] = 0) -> Response:
    """See `console.wall`. Asking is what makes the workers send pictures."""
    seen = [name for name in parts.config.cameras if caller.principal.sees(name)]
    for name in seen:
        parts.live.want(name)
    number, pictures = parts.live.after(after, seen)
    shown = [(picture, jpeg) for picture in pictures if (jpeg := _shown_to(parts, caller, picture)) is not None]
    return Response(
        wall.pack(parts.clock.now_s(), number, shown, parts.config_version), media_type="application/octet-stream"
    )


@router.get("/live/{camera}/picture")
@allow(Permission.SEE, background=True)
def picture(parts: TheseParts, caller: ThisCaller, camera: str, after: Annotated[int, Query(ge=0)] = 0) -> Response:
    """As the wall, of one camera."""
    if camera not in parts.config.cameras:
        raise not_found("there is no such camera")
    parts.live.want(camera)
    number, pictures = parts.live.after(after, [camera])
    shown = [(one, jpeg) for one in pictures if (jpeg := _shown_to(parts, caller, one)) is not None]
    return Response(
        wall.pack(parts.clock.now_s(), number, shown, parts.config_version), media_type="application/octet-stream"
    )


@router.get("/live/{camera}/video")
@allow(Permission.SEE, originals=True)
async def video(request: Request, parts: TheseParts, caller: ThisCaller, camera: str) -> Response:
    """The camera's own H.264 as fragmented MP4 without end; its MIME type has the codec that a player must be told."""
    found = parts.config.cameras.get(camera)
    if found is None:
        raise not_found("there is no such camera")
    urls = [stream.url for stream in (found.main, found.sub) if stream is not None]
    url, codec = await run_in_threadpool(_first_playable, parts, urls)
    await run_in_threadpool(_note, parts, caller, camera)
    loop = asyncio.get_running_loop()
    viewer = parts.videos.watch(url, loop)
    if viewer is None:
        raise Unavailable("the camera's stream ended just now")

    async def chunks() -> AsyncIterator[bytes]:
        try:
            async for chunk in viewer.chunks():
                if parts.stop.is_set():
                    break
                yield chunk
        finally:
            parts.videos.leave(url, viewer)

    return StreamingResponse(chunks(), media_type=f'video/mp4; codecs="{codec}"')


def _first_playable(parts: Parts, urls: list[str]) -> tuple[str, str]:
    """The main stream, or the sub stream where a browser cannot play the main one. Raises Unavailable."""
    fault: Unavailable = Unavailable("the camera has no stream")
    for url in urls:
        try:
            return url, parts.videos.codec(url)
        except NotPlayable as error:
            fault = error
    raise fault


def _note(parts: Parts, caller: Caller, camera: str) -> None:
    with parts.database.write() as connection:
        note(connection, parts.clock.now_s(), caller.name, "view.live", f"camera {camera}", {})


def _shown_to(parts: Parts, caller: Caller, picture: LivePicture) -> bytes | None:
    """What this caller may see of it; None: nothing."""
    if parts.unblurred(caller.principal):
        return picture.jpeg
    try:
        return parts.blurs.of(picture)
    except Unavailable:
        return None
