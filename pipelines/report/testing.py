"""A week of a made-up site, every incident of it written down: what tests of the report count by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.config.loader import load_text
from pipelines.config.schema import Config
from pipelines.events.envelope import incident_event, rfc3339
from pipelines.recording import clocks, ledger
from pipelines.recording.coverage import Cause, Gap
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume
from pipelines.recording.segments import Segment
from pipelines.report.facts import facts_of
from pipelines.report.model import Sheet
from pipelines.report.period import Wanted, resolve
from pipelines.report.sheet import sheet_of
from pipelines.store import incidents, outbox, queries, receipts, threads
from pipelines.store.database import Database, sqlite_url
from pipelines.store.incidents import notice_of
from pipelines.store.threads import Thread
from pipelines.testing import an_incident
from vision.incident import Phase, Quantity

NAME: Final = "北门 <b>&\"'"
CONFIG: Final = f"""
site: {{name: "North <School>", timezone: Asia/Shanghai, language: zh-CN}}
calendar: {{terms: [2026-09-01/2027-01-20]}}
alerts: {{drill: {{schedule: "mon,wed 09:00-09:10"}}}}
recording: {{continuous: 5m}}
cameras:
  north:
    name: {json.dumps(NAME)}
    main: {{url: "rtsp://192.0.2.10/main"}}
    ground:
      - {{picture: [0, 0], metres: [0, 0]}}
      - {{picture: [1, 0], metres: [9, 0]}}
      - {{picture: [1, 1], metres: [9, 9]}}
      - {{picture: [0, 1], metres: [0, 9]}}
    zones:
      kerb: {{polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}
      yard: {{polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.5]]}}
    rules: [{{kind: illegal_parking, zone: kerb}}, {{kind: crowding, zone: yard, density: 2}}]
  south:
    name: 南门
    main: {{url: "rtsp://192.0.2.11/main"}}
    zones: {{kerb: {{polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}}}
    rules: [{{kind: crowding, zone: kerb, people: 20}}]
  office:
    main: {{url: "rtsp://192.0.2.12/main"}}
    recording: {{enabled: false}}
"""
HOUR_MS: Final = 3_600_000
PASSED: Final = {"evidence_grade": True}
FAILED: Final = {
    "evidence_grade": False,
    "host": {"synchronised": False},
    "camera_offset_s": 0.1,
    "camera_error_s": 0.1,
}
UNKNOWN: Final = {"evidence_grade": False, "host": {"synchronised": True}, "camera_offset_s": None}


def at(text: str) -> float:
    """A moment on the site's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()


#: The Monday after.
NOW_S: Final = at("2026-11-23T09:00")


@dataclass
class WrittenSite:
    """A site with a store, told of incidents by hand."""

    config: Config
    store: Database

    def sheet(self, cameras: frozenset[str] | None = None, **wanted: Any) -> Sheet:
        """Made on the Monday after."""
        period = resolve(Wanted(**wanted), self.config.calendar.terms, self.config.site.timezone, NOW_S)
        return sheet_of(facts_of(self.config, self.store, period, NOW_S, cameras), "1.0")

    def tell(
        self,
        name: str,
        when: str,
        camera: str = "north",
        kind: str = "illegal_parking",
        *,
        zone: str = "kerb",
        level: int = 2,
        ends_s: float | None = 60.0,
        verdict: str | None = None,
        drill: bool = False,
        clock: dict[str, Any] | None = None,
        plate: str = "",
        thread: dict[str, Any] | None = None,
        densities: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """An incident as a dispatcher stores it; the thread's times count from when it opened."""
        opened_s = at(when)
        evidence = {"plate": Quantity(plate, "")} if plate else {}
        told = [(0.0, Phase.OPENED, evidence)]
        told += [(after_s, Phase.UPDATED, {"density": Quantity(value, "people/m2")}) for after_s, value in densities]
        if ends_s is not None:
            told.append((ends_s, Phase.CLOSED, evidence))
        case = an_incident(
            name,
            camera_id=camera,
            kind=kind,
            zone_id=zone,
            rule_id=f"{kind}:{zone}",
            severity=level,
            first_seen_s=opened_s,
            opened_s=opened_s,
        )
        with self.store.write() as connection:
            for number, (after_s, phase, found) in enumerate(told):
                changed = replace(
                    case,
                    revision=number + 1,
                    phase=phase,
                    time_s=opened_s + after_s,
                    closed_s=opened_s + after_s if phase is Phase.CLOSED else None,
                    evidence=found or case.evidence,
                )
                camera_name = {"north": NAME, "south": "南门"}.get(camera, camera)
                event = incident_event(changed, "v", camera_name, drill=drill, clock=clock)
                incidents.apply(connection, [notice_of(event)], opened_s + after_s)
            if thread is not None:
                moments = {key: opened_s + value if key.endswith("_s") else value for key, value in thread.items()}
                threads.put(connection, [Thread(name, "sent", level, **{"created_s": opened_s} | moments)])
            if verdict is not None:
                threads.add_verdict(connection, name, verdict, who="wang", now_s=opened_s, note="")

    def deliver(self, incident_id: str, event_s: float, **ends: tuple[receipts.Outcome, float]) -> None:
        """Channel -> how its message ended, and after how many seconds."""
        alert = outbox.NewAlert(f"a-{incident_id}", incident_id, "li", "incident", 2, False, event_s)
        told = [
            outbox.NewDelivery(
                alert.alert_id, incident_id, "li", channel, f"{incident_id}-{channel}", f"{incident_id}:1", event_s
            )
            for channel in ends
        ]
        with self.store.write() as connection:
            outbox.put(connection, [alert], told, event_s)
            for channel, (outcome, after_s) in ends.items():
                (mine,) = outbox.claim(connection, channel, owner="o", now_s=event_s, lease_s=60.0, limit=1)
                result = receipts.Result(mine.delivery_id, mine.alert_id, outcome, "", event_s, after_s)
                receipts.finish(connection, [result], "o", event_s + after_s)

    def audited(self, when: str, action: str, subject: str = "", **detail: Any) -> None:
        """A line of the audit."""
        with self.store.write() as connection:
            queries.write_audit(connection, now_s=at(when), who="wang", action=action, subject=subject, detail=detail)


def answered(after_s: float, **more: float) -> dict[str, Any]:
    """A thread that was told at once."""
    return {"told_s": 0.0, "sent_s": 2.0, "acknowledged_s": after_s} | more


def a_written_site(folder: Path) -> WrittenSite:
    """The week, filled and recorded, in a store and on a volume of `folder`."""
    database = Database(sqlite_url(folder))
    database.migrate()
    made = WrittenSite(load_text(f"{CONFIG}\ndata: {json.dumps(str(folder))}\n", "site.yaml", {}), database)
    fill(made)
    record(folder / "recordings")
    return made


def fill(site: WrittenSite) -> None:
    """The week from Monday the 16th to Sunday the 22nd of November."""
    site.tell("before", "2026-11-15T23:59:59", verdict="true")
    site.tell("after", "2026-11-23T00:00", verdict="true")
    first = answered(20.0, on_site_s=120.0, closed_s=300.0)
    site.tell("case-i1", "2026-11-16T00:00", verdict="true", plate="京A12345", clock=PASSED, thread=first)
    site.tell("case-i2", "2026-11-17T08:00", verdict="true", plate="京a 12345", clock=FAILED, thread=answered(90.0))
    site.tell("case-i3", "2026-11-17T17:00", clock=UNKNOWN, thread={"told_s": 0.0, "alarmed_s": 60.0})
    site.tell("case-i4", "2026-11-18T08:00", "south", level=3, verdict="false", thread=answered(200.0))
    site.tell(
        "case-i5",
        "2026-11-19T16:30",
        kind="crowding",
        zone="yard",
        level=1,
        ends_s=180.0,
        thread=answered(31.0),
        densities=((0.5, 2.5), (60.0, 4.0)),
    )
    quiet = {"silenced": "quiet hours"}
    site.tell("case-i6", "2026-11-20T12:00", kind="possible_bullying", zone="yard", verdict="duplicate", thread=quiet)
    site.tell("old-gap", "2026-11-14T12:00", "south", "recording_gap", zone="", ends_s=3 * 86_400.0)
    site.tell("a-gap", "2026-11-18T10:00", "south", "recording_gap", zone="", ends_s=7200.0)
    site.tell("long-gap", "2026-11-21T20:00", "north", "recording_gap", zone="", ends_s=None)
    site.tell("covered", "2026-11-20T06:00", "north", "covered", zone="", ends_s=3600.0)
    site.tell("blurred", "2026-11-20T06:30", "north", "blurred", zone="", ends_s=3600.0)
    site.tell("overload", "2026-11-20T16:30", "all-cameras", "overload", zone="", level=3)
    drill = f"drill-{rfc3339(at('2026-11-16T09:00'))}"
    site.tell(drill, "2026-11-16T09:00", "-", "drill", zone="", level=4, ends_s=0.0, drill=True)
    site.tell("drill-alarm", "2026-11-18T09:02", "-", "drill_failed", zone="", level=1)
    site.deliver(drill, at("2026-11-16T09:00"), mail=("sent", 3.0), sms=("sent", 5.0))
    site.deliver("case-i3", at("2026-11-17T17:00"), mail=("dead", 9.0))
    site.audited("2026-11-15T12:00", "export", "incidents")
    site.audited("2026-11-16T12:00", "export", "incidents")
    site.audited("2026-11-17T12:00", "report.made", "inspection")
    site.audited("2026-11-17T12:00", "footage.view", "camera north hour 3", camera="north")
    site.audited("2026-11-17T12:00", "view.live", "camera south")
    site.audited("2026-11-17T12:00", "export.refused", "/api/v1/cameras/north/video", camera="north")
    site.audited("2026-11-17T12:00", "login", "192.0.2.1")


def record(folder: Path) -> None:
    """North since Monday, without Saturday 20:00 to 22:00; its clock right from Monday to Friday, wrong on Saturday."""
    volume = Volume.open(folder, create=True)
    monday_ms = round(at("2026-11-16T00:00") * 1000)
    away = Gap(round(at("2026-11-21T20:00") * 1000), round(at("2026-11-21T22:00") * 1000), Cause.NETWORK)
    with Index.open(volume.index, create=True) as index:
        index.set_meta("alive_ms", str(2**53))
        with index.transaction() as cursor:
            for hour in range(7 * 24 + 9):
                start_ms = monday_ms + hour * HOUR_MS
                if away.from_ms <= start_ms < away.to_ms:
                    continue
                segment = Segment(
                    "north", 20261116, hour, "0a1b2c3d", start_ms, start_ms + HOUR_MS, 1, 1, "00" * 32, "00" * 32
                )
                ledger.insert_segment(cursor, segment)
            ledger.add_gap(cursor, "north", away)
            for day in range(6):
                noon_ms = monday_ms + (day * 24 + 12) * HOUR_MS
                off_ms = 1500 if day == 5 else 100
                clocks.replay(cursor, [("", clocks.KERNEL, noon_ms, noon_ms + 60_000, -50, 50)])
                clocks.replay(cursor, [("north", "onvif", noon_ms, noon_ms + 60_000, off_ms, off_ms + 200)])
    audit = Journal(volume.journal / "audit.jsonl")
    for when, kind in (("2026-11-15", "evidence"), ("2026-11-16", "evidence"), ("2026-11-17", "blurred")):
        data = {"kind": kind, "camera": "north"}
        audit.append(at_ms=round(at(f"{when}T12:00") * 1000), action="export", actor="wang", reason="r", data=data)
