"""The index made anew from what lies on the disk: segments from their files, the rest from the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.clock import Clock
from pipelines.errors import BadInput
from pipelines.recording import clocks, holds, ledger
from pipelines.recording.chain import canonical
from pipelines.recording.coverage import Cause, Gap, Span
from pipelines.recording.index import Index
from pipelines.recording.journal import Entry, Journal
from pipelines.recording.layout import Volume
from pipelines.recording.reconcile import Found, Reconciler
from pipelines.recording.reports import parse_time


def rebuild(volume: Volume, clock: Clock) -> Found:
    """Make the index from nothing. The old one is kept beside it. The recorder must not be running.

    Raises: OSError, Unavailable, NotMp4.
    """
    if volume.index.exists():
        for suffix in ("", "-wal", "-shm"):
            old = volume.index.with_name(volume.index.name + suffix)
            if old.exists():
                old.rename(old.with_name(f"index.old-{round(clock.now_s())}.sqlite{suffix}"))
    with Index.open(volume.index, durable=True, create=True) as index:
        for name in ("ledger", "audit"):
            for entry in Journal(volume.journal / f"{name}.jsonl").entries():
                _replay(index, entry)
        return Reconciler(index, volume, clock, {}).everything()


def _replay(index: Index, entry: Entry) -> None:
    data = entry.data
    with index.transaction() as cursor:
        if entry.action == "gap":
            ledger.open_gap(cursor, data["camera"], data["from_ms"], Cause(data["cause"]), data["detail"])
        elif entry.action == "resumed":
            ledger.close_gap(cursor, data["camera"], data["at_ms"])
        elif entry.action == "hole":
            gap = Gap(data["from_ms"], data["to_ms"], Cause(data["cause"]), data["detail"], data["inside"])
            ledger.add_gap(cursor, data["camera"], gap)
        elif entry.action == "clock_step":
            ledger.add_clock_step(cursor, data["at_ms"], data["step_ms"])
        elif entry.action == "delete" and "segments" in data and isinstance(data["segments"], list):
            for day, seq, run, start_ms, end_ms, size, sha256, link in data["segments"]:
                cursor.execute(
                    "INSERT OR IGNORE INTO deletions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    (
                        data["camera"],
                        day,
                        seq,
                        run,
                        start_ms,
                        end_ms,
                        size,
                        bytes.fromhex(sha256),
                        bytes.fromhex(link),
                        entry.at_ms,
                        data["rule"],
                    ),
                )
                ledger.touch_camera(cursor, data["camera"], start_ms, end_ms)
        elif entry.action == "head":
            head = data["head"]
            cursor.execute(
                "INSERT OR IGNORE INTO heads VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    head["camera"],
                    head["day"],
                    canonical(dict(head)).decode(),
                    data["algorithm"],
                    data["key_id"],
                    bytes.fromhex(data["signature"]),
                    entry.at_ms,
                ),
            )
        elif entry.action == "clocks":
            clocks.replay(cursor, data["rows"])
        elif entry.action == "hold":
            holds.insert(cursor, _hold(data, entry.at_ms))
        elif entry.action == "release":
            cursor.execute(
                "UPDATE holds SET released_ms = ?, released_by = ?, release_reason = ? WHERE hold_id = ?",
                (entry.at_ms, entry.actor, entry.reason, data["hold_id"]),
            )


def _hold(data: Mapping[str, Any], at_ms: int) -> holds.Hold:
    def ms(key: str) -> int:
        return parse_time(str(data[key]), ZoneInfo("UTC"))

    try:
        return holds.Hold(
            data["hold_id"],
            tuple(data["cameras"]),
            Span(ms("from"), ms("to")),
            data["reason"],
            data["owner"],
            data["created_by"],
            at_ms,
            None if data["expires"] is None else ms("expires"),
        )
    except KeyError as error:
        raise BadInput(f"a hold in the audit has no {error}: {json.dumps(dict(data))}") from error
