"""An append-only, hash-chained file of JSON lines: who did what and why, and what cannot be read back from footage.

Each line holds the hash of the one before it, so that nothing can be taken out, changed or put in between unseen. One
append at a time, across processes (flock). The end of the chain is signed with each daily head, which leaves the machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.errors import Unavailable

GENESIS: Final = hashlib.sha256(b"gatewatch journal 1").hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """`number` counts from 1; `at_ms` UTC; `action` such as `hold`, `delete`, `export`; `data` plain JSON values."""

    number: int
    at_ms: int
    action: str
    actor: str
    reason: str
    data: Mapping[str, Any]
    previous: str
    hash: str

    def line(self) -> str:
        return json.dumps({**_body(self), "hash": self.hash}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _body(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at_ms": entry.at_ms,
        "action": entry.action,
        "actor": entry.actor,
        "reason": entry.reason,
        "data": dict(entry.data),
        "previous": entry.previous,
    }


def _digest(entry: Entry) -> str:
    text = json.dumps(_body(entry), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class JournalFault:
    line: int
    what: str


class Journal:
    """One journal file. Opening it starts nothing; each append opens, locks, checks the last line, writes and syncs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, *, at_ms: int, action: str, actor: str, reason: str, data: Mapping[str, Any]) -> Entry:
        """Returns when the line is on the disk. Raises Unavailable."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                number, previous = self._end(file.fileno())
                draft = Entry(number + 1, at_ms, action, actor, reason, data, previous, "")
                entry = Entry(draft.number, at_ms, action, actor, reason, data, previous, _digest(draft))
                file.write(entry.line().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            return entry
        except OSError as error:
            raise Unavailable(f"{self.path}: cannot be written: {error.strerror}") from error

    def end(self) -> tuple[int, str]:
        """(number, hash) of the last line; (0, GENESIS) of an empty journal."""
        try:
            with self.path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
                return self._end(file.fileno(), repair=False)
        except FileNotFoundError:
            return 0, GENESIS

    @staticmethod
    def _end(descriptor: int, *, repair: bool = True) -> tuple[int, str]:
        """The last whole line. A half line is what a power cut left of an append that nobody was told had succeeded: it
        is cut off before the next append."""
        size = os.fstat(descriptor).st_size
        reach = 64 * 1024
        while size:
            start = max(0, size - reach)
            tail = os.pread(descriptor, size - start, start)
            whole = tail.rfind(b"\n") + 1
            line_start = tail.rfind(b"\n", 0, max(0, whole - 1)) + 1
            if whole and (line_start or start == 0):
                if repair and whole != len(tail):
                    os.ftruncate(descriptor, start + whole)
                last = json.loads(tail[line_start:whole])
                return int(last["number"]), str(last["hash"])
            if start == 0:
                if repair:
                    os.ftruncate(descriptor, 0)
                break
            reach *= 8
        return 0, GENESIS

    def entries(self) -> Iterator[Entry]:
        """Every whole, readable line in order; damage is for `verify` to name."""
        for _, entry in self._lines():
            if isinstance(entry, Entry):
                yield entry

    def _lines(self) -> Iterator[tuple[int, Entry | str]]:
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for number, line in enumerate(file, 1):
                try:
                    raw = json.loads(line)
                    yield (
                        number,
                        Entry(
                            int(raw["number"]),
                            int(raw["at_ms"]),
                            str(raw["action"]),
                            str(raw["actor"]),
                            str(raw["reason"]),
                            dict(raw["data"]),
                            str(raw["previous"]),
                            str(raw["hash"]),
                        ),
                    )
                except (ValueError, KeyError, TypeError):
                    yield number, "not a line of a journal"

    def verify(self, *, ends: Mapping[int, str] | None = None) -> list[JournalFault]:
        """Every fault of the chain. `ends` are (number, hash) pairs known from elsewhere, as signed heads carry them."""
        faults: list[JournalFault] = []
        expected, previous = 1, GENESIS
        seen: dict[int, str] = {0: GENESIS}
        for line, entry in self._lines():
            if isinstance(entry, str):
                faults.append(JournalFault(line, entry))
                previous, expected = "", expected + 1
                continue
            if entry.hash != _digest(entry):
                faults.append(JournalFault(line, f"entry {entry.number} ({entry.action}) was changed"))
            if entry.number != expected:
                faults.append(
                    JournalFault(line, f"entry {entry.number} where {expected} was expected: removed or re-ordered")
                )
            elif previous and entry.previous != previous:
                faults.append(JournalFault(line, f"entry {entry.number} does not follow the one before it"))
            seen[entry.number] = entry.hash
            expected, previous = entry.number + 1, entry.hash
        for number, digest in sorted((ends or {}).items()):
            if seen.get(number) != digest:
                faults.append(
                    JournalFault(number, f"entry {number} is not the one that was signed: cut off or rewritten")
                )
        return faults
