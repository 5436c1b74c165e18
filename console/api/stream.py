"""Server-sent events: every new or changed incident and alert within the second, and none missed.

The first event is `hello`; its id is a cursor. A page opens the stream, then loads its lists, then applies what comes: so
nothing falls between. A browser that was cut off comes back with `Last-Event-ID` and is given what happened meanwhile; if
that was too long ago, it is told `reset` and loads its lists anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from console import gate
from console.access import allow
from console.api import shapes
from console.api.common import incident_json, refusals, router
from console.feed import LOOK_S
from console.gate import Caller, TheseParts, ThisCaller
from console.parts import Parts
from console.problems import Problem
from pipelines.access.roles import Permission
from pipelines.errors import Unavailable
from pipelines.store.changes import Cursor

api = router("stream")
#: A line of nothing, so that everybody on the way knows that the connection lives; and a look whether the caller may still.
_PING_S: Final = 10.0


@api.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **refusals()},
)
@allow(Permission.SEE, background=True)
async def events(
    request: Request,
    parts: TheseParts,
    caller: ThisCaller,
    after: Annotated[str | None, Query(max_length=40, description="a cursor, as Last-Event-ID")] = None,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    once: Annotated[bool, Query(description="end after what there is now")] = False,
) -> StreamingResponse:
    """Events `hello`, `reset`, `incident`, `alert`; each has an id to go on from."""
    given = last_event_id or after
    cursor = None if given is None else Cursor.parse(given)
    if cursor is not None:
        lost = await run_in_threadpool(parts.feed.is_lost, cursor)
    if cursor is None or lost:
        name, cursor = ("hello" if given is None else "reset"), await run_in_threadpool(_newest, parts)
    else:
        name = "hello"
    if not parts.feed.enter(caller.principal.key):
        raise Problem(429, "too_many", "too many streams are open", {"Retry-After": "10"})
    body = _stream(request, parts, caller, cursor, name, once=once)
    return StreamingResponse(body, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _newest(parts: Parts) -> Cursor:
    return parts.feed.newest(fresh=True)


async def _stream(
    request: Request, parts: Parts, caller: Caller, cursor: Cursor, name: str, *, once: bool
) -> AsyncIterator[bytes]:
    try:
        yield _event(name, cursor, {"cursor": str(cursor)})
        quiet_s = 0.0
        while not parts.stop.is_set():
            try:
                there = await run_in_threadpool(parts.feed.newest)
                while cursor < there:
                    before = cursor
                    cursor, incidents, alerts = await run_in_threadpool(parts.feed.since, cursor, caller.principal)
                    for row in incidents:
                        yield _event(
                            "incident", before, shapes.Incident.model_validate(incident_json(row)).model_dump()
                        )
                    for row in alerts:
                        yield _event("alert", before, shapes.Alert.model_validate(row).model_dump())
                    if cursor == before:
                        break
                    # The id goes on only when all of the batch has been given: what a cut takes comes again.
                    yield f"id: {cursor}\n\n".encode()
                    quiet_s = 0.0
            except Unavailable:
                pass  # the store is away: what happens meanwhile is there when it comes back
            if once:
                return
            await asyncio.sleep(LOOK_S)
            quiet_s += LOOK_S
            if quiet_s >= _PING_S:
                quiet_s = 0.0
                if not await run_in_threadpool(_still, request, parts, caller):
                    return
                yield b": still here\n\n"
    finally:
        parts.feed.leave(caller.principal.key)


def _still(request: Request, parts: Parts, caller: Caller) -> bool:
    """Whether the caller is still logged in, with the same role and scope."""
    try:
        if caller.session is None:
            now = parts.people.of_token(request.headers.get("authorization", "").partition(" ")[2].strip())
        else:
            session = parts.sessions.find(request.cookies.get(gate.cookie_name(request), ""))
            now = None if session is None else session.principal
    except Unavailable:
        return True
    return now == caller.principal


def _event(name: str, cursor: Cursor, data: Any) -> bytes:
    return f"event: {name}\nid: {cursor}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
