"""Before anything is deleted: is this the volume it was, and can the clock be believed?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pipelines.clock import Clock
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume

#: Steps beyond this stop deletion until a person has looked.
TOLERATED_MS: Final = 60_000
#: Between two boots there is no monotonic clock to compare with: a longer jump forward needs a person.
_LONGEST_OFF_MS: Final = 30 * 86_400_000
_KEY: Final = "deletion_clock"


def boot_id() -> str:
    """Names this boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def refusal(index: Index, volume: Volume, clock: Clock, boot: str) -> str | None:
    """None when it is safe to delete, else why not and what to do. Raises Unavailable."""
    fault = volume.check()
    if fault is not None:
        return fault
    now_ms, monotonic_ms = round(clock.now_s() * 1000), round(clock.monotonic_s() * 1000)
    accept = "; look at the clock, then `gatewatch footage plan --accept-clock --reason ...`"
    step = index.read(
        "SELECT step_ms FROM clock_steps WHERE accepted = 0 AND abs(step_ms) > ? LIMIT 1", (TOLERATED_MS,)
    ).fetchone()
    if step is not None:
        return f"the host's clock was stepped by {step[0] / 1000:+.0f} s{accept}"
    (newest,) = index.read("SELECT max(seen_ms) FROM cameras").fetchone()
    if newest is not None and newest > now_ms + TOLERATED_MS:
        return f"there is footage from the future: the clock went back{accept}"
    known: dict[str, Any] | None = json.loads(index.meta(_KEY) or "null")
    if known is None:
        return None
    passed_ms = now_ms - int(known["now_ms"])
    if known["boot"] == boot and boot:
        jumped_ms = passed_ms - (monotonic_ms - int(known["monotonic_ms"]))
        if abs(jumped_ms) > TOLERATED_MS:
            return f"the host's clock jumped by {jumped_ms / 1000:+.0f} s{accept}"
    elif passed_ms < -TOLERATED_MS or passed_ms > _LONGEST_OFF_MS:
        return f"since the last run {passed_ms / 86_400_000:+.1f} days have passed, with a restart in between{accept}"
    return None


def remember(index: Index, clock: Clock, boot: str) -> None:
    """The clock as it is now is the one to compare with. Call after each look that refused nothing."""
    now_ms, monotonic_ms = round(clock.now_s() * 1000), round(clock.monotonic_s() * 1000)
    index.set_meta(_KEY, json.dumps({"now_ms": now_ms, "monotonic_ms": monotonic_ms, "boot": boot}))


def accept_clock(index: Index, clock: Clock, boot: str) -> None:
    """A person has looked and says that the clock is right now."""
    now_ms = round(clock.now_s() * 1000)
    with index.transaction() as cursor:
        cursor.execute("UPDATE clock_steps SET accepted = 1")
        cursor.execute("UPDATE cameras SET seen_ms = min(seen_ms, ?)", (now_ms,))
    remember(index, clock, boot)
