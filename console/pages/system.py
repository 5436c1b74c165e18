"""How the system itself is: processes, cameras, deliveries, disk; what could not be delivered, and who did what."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console import processes
from console.access import allow
from console.gate import TheseParts, ThisCaller
from console.pages.login import frame
from console.processes import Process
from pipelines.access.roles import Permission
from pipelines.recording.settings import limits

router = APIRouter(include_in_schema=False)


@router.get("/system")
@allow(Permission.OPERATE, whole_site=True)
def system(request: Request, parts: TheseParts, caller: ThisCaller) -> Response:
    data = {
        "timezone": parts.config.site.timezone,
        # Of each camera, by its profile.
        "keep_s": {name: one.target_ms / 1000 for name, one in limits(parts.config).items()},
        "may": {"people": caller.principal.may(Permission.PEOPLE)},
    }
    words = ("system.", "process.", "cause.", "view.")
    return frame(request).page(request, "system.html", {"data": data}, script_words=words, data=data)


@router.get("/live/system")
@allow(Permission.OPERATE, whole_site=True, background=True)
def state(parts: TheseParts) -> dict[str, Any]:
    """What the processes say of themselves, asked just now."""
    found = processes.ask_all(parts.config)
    now_s = parts.clock.now_s()
    names = [(name, camera.name or name) for name, camera in parts.config.cameras.items()]
    by_name = {one.name: one for one in found}
    return {
        "now_s": now_s,
        "processes": [
            {
                "name": one.name,
                "ready": one.ready,
                "failing": [f"{name}: {why}" for name, (well, why) in one.checks.items() if not well],
                "memory_bytes": one.value("process_resident_memory_bytes"),
                "started_s": one.value("process_start_time_seconds"),
            }
            for one in found
        ],
        "cameras": processes.cameras(found, now_s, names),
        "channels": _channels(by_name["dispatcher"]),
        "pending": by_name["dispatcher"].value("gatewatch_bus_pending_messages"),
        "spooled": by_name["worker"].value("gatewatch_spool_messages"),
        "configuration": {
            "version": parts.config_version,
            "faults": parts.following.faults,
            "needs_restart": parts.following.needs_restart,
        },
        "days_to_full": by_name["recorder"].value("gatewatch_disk_days_to_full"),
    }


def _channels(dispatcher: Process) -> list[dict[str, Any]]:
    """Deliveries of each channel by outcome, since its process started."""
    names = sorted({one.labels["channel"] for one in dispatcher.samples if one.name == "gatewatch_deliveries_total"})
    rows = []
    for name in names:
        mine = tuple(one for one in dispatcher.samples if one.labels.get("channel") == name)
        of_channel = Process("", None, {}, mine)
        count = of_channel.value("gatewatch_alert_delay_seconds_count") or 0.0
        total = of_channel.value("gatewatch_alert_delay_seconds_sum") or 0.0
        rows.append(
            {
                "channel": name,
                "outcomes": of_channel.by("gatewatch_deliveries_total", "outcome"),
                "mean_delay_s": total / count if count else None,
            }
        )
    return rows
