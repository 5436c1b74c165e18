"""The index made anew from what lies on the disk: segments from their files, the rest from the journal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.clock import Clock
from pipelines.errors import BadInput
from pipelines.recording import clips, clocks, holds, ledger
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
                _replay(index, volume, entry)
        return Reconciler(index, volume, clock, {}).everything()


def _replay(index: Index, volume: Volume, entry: Entry) -> None:
    again = _REPLAYS.get(entry.action)
    if again is not None:
        with index.transaction() as cursor:
            again(cursor, volume, entry)


def _gap(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    data = entry.data
    ledger.open_gap(cursor, data["camera"], data["from_ms"], Cause(data["cause"]), data["detail"])


def _resumed(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    ledger.close_gap(cursor, entry.data["camera"], entry.data["at_ms"])


def _hole(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    data = entry.data
    gap = Gap(data["from_ms"], data["to_ms"], Cause(data["cause"]), data["detail"], data["inside"])
    ledger.add_gap(cursor, data["camera"], gap)


def _clock_step(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    ledger.add_clock_step(cursor, entry.data["at_ms"], entry.data["step_ms"])


def _deletion(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    data = entry.data
    if not isinstance(data.get("segments"), list):
        return  # the audit's line about the same deletion, which only counts
    for day, seq, run, start_ms, end_ms, size, sha256, link in data["segments"]:
        hashes = bytes.fromhex(sha256), bytes.fromhex(link)
        cursor.execute(
            "INSERT OR IGNORE INTO deletions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (data["camera"], day, seq, run, start_ms, end_ms, size, *hashes, entry.at_ms, data["rule"]),
        )
        ledger.touch_camera(cursor, data["camera"], start_ms, end_ms)


def _head(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    data, head = entry.data, entry.data["head"]
    body, signature = canonical(dict(head)).decode(), bytes.fromhex(data["signature"])
    cursor.execute(
        "INSERT OR IGNORE INTO heads VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (head["camera"], head["day"], body, data["algorithm"], data["key_id"], signature, entry.at_ms),
    )


def _held(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    holds.insert(cursor, _hold(entry.data, entry.at_ms))


def _released(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    cursor.execute(
        "UPDATE holds SET released_ms = ?, released_by = ?, release_reason = ? WHERE hold_id = ?",
        (entry.at_ms, entry.actor, entry.reason, entry.data["hold_id"]),
    )


def _mark(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    data = entry.data
    values = (data["incident_id"], data["camera"], data["from_ms"], data["to_ms"])
    cursor.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)", values)


def _clip(cursor: sqlite3.Connection, volume: Volume, entry: Entry) -> None:
    if (volume.root / entry.data["row"][4]).exists():
        clips.remember(cursor, entry.data["row"])


def _deleted_clips(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    files = entry.data["files"]
    if isinstance(files, list):
        cursor.executemany("DELETE FROM marks WHERE incident_id = ?", [(one[0],) for one in files])


def _clocks(cursor: sqlite3.Connection, _volume: Volume, entry: Entry) -> None:
    clocks.replay(cursor, entry.data["rows"])


_REPLAYS: Final[Mapping[str, Callable[[sqlite3.Connection, Volume, Entry], None]]] = {
    "gap": _gap,
    "resumed": _resumed,
    "hole": _hole,
    "clock_step": _clock_step,
    "delete": _deletion,
    "head": _head,
    "hold": _held,
    "release": _released,
    "mark": _mark,
    "clip": _clip,
    "delete_clip": _deleted_clips,
    "clocks": _clocks,
}


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
