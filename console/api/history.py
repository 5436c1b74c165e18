"""The history: figures of any part of it, and the incidents themselves to take away."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from console.access import allow
from console.api import history_shapes as shapes
from console.api.common import router
from console.api.filters import Wanted, as_query
from console.gate import TheseParts
from console.problems import Problem
from pipelines.access.roles import Permission
from pipelines.history.stats import stats
from pipelines.store import history

api = router("history")
#: A question that waits for others keeps a thread of the console.
_PATIENCE_S: Final = 15.0


@api.get("/stats", response_model=shapes.Stats)
@allow(Permission.SEE)
def figures_of_incidents(parts: TheseParts, wanted: Wanted) -> Any:
    """When, where, what, how fast it was answered, how often the rules were right. Without drills, unless `verdict=drill` asks
    for them. Each figure has a `filter` that lists its incidents."""
    timezone = parts.config.site.timezone
    wanted = replace(wanted, drills=wanted.verdict == "drill")
    if not parts.heavy.acquire(timeout=_PATIENCE_S):
        raise Problem(503, "busy", "others ask for figures just now: try again", {"Retry-After": "5"})
    try:
        with parts.database.read() as connection:
            names = partial(history.camera_names, connection)
            figures = stats(history.stream(connection, wanted), timezone, names)
    finally:
        parts.heavy.release()
    return shapes.linked(figures, as_query(wanted), {day: _span(day, timezone) for day in figures["by_day"]})


def _span(day: str, timezone: str) -> tuple[float, float]:
    zone, first = ZoneInfo(timezone), date.fromisoformat(day)
    begin, end = (datetime(one.year, one.month, one.day, tzinfo=zone) for one in (first, first + timedelta(days=1)))
    return begin.timestamp(), end.timestamp()
