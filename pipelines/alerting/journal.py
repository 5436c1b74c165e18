"""What a sender has sent, in a file of its own: a line is written the moment the other side has answered.

A receipt is in the store some milliseconds later. What a killed process leaves in between its successor finds here, and
does not send again. Nothing is synced: this is about processes that die, not about power cuts. A successor on another
machine (with PostgreSQL) finds no file, and sends again.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: What is left of the dead is of no use when their leases have long been taken over.
_KEPT_S: Final = 7 * 86400.0
_LONGEST: Final = 200


class Journal:
    """The files of one process, one for each channel, in a folder that all dispatchers of a site share."""

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._owner = owner

    def open(self, channel: str) -> Lines:
        """This process's own lines about `channel`."""
        return Lines(self._path(self._owner, channel))

    def left(self, owner: str, channel: str) -> dict[tuple[int, int], str]:
        """What another sender wrote: (delivery, attempt) -> receipt. Empty where there is no file."""
        try:
            text = self._path(owner, channel).read_text("utf-8", errors="replace")
        except OSError:
            return {}
        found: dict[tuple[int, int], str] = {}
        for line in text.split("\n")[:-1]:  # the last may have been cut off
            delivery, _, rest = line.partition(" ")
            attempt, _, receipt = rest.partition(" ")
            if delivery.isdigit() and attempt.isdigit():
                found[int(delivery), int(attempt)] = receipt
        return found

    def clear_up(self) -> None:
        """Remove what is a week old."""
        before_s = time.time() - _KEPT_S
        try:
            files = list(self._folder.glob("*.sent"))
        except OSError:
            return  # no folder, or none for us
        for path in files:
            with contextlib.suppress(OSError):  # somebody else did
                if path.stat().st_mtime < before_s:
                    path.unlink()

    def _path(self, owner: str, channel: str) -> Path:
        return self._folder / (re.sub(r"[^\w.-]", "_", f"{owner}.{channel}") + ".sent")


class Lines:
    """One file. Lines that the store has too are dropped. A disk that takes none costs a repetition after a crash, no more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._fd = -1
        self._waiting: set[int] = set()

    def sent(self, delivery_id: int, attempt: int, receipt: str) -> None:
        """The other side has it."""
        text = " ".join(receipt[:_LONGEST].split())
        line = f"{delivery_id} {attempt} {text}\n".encode(errors="replace")
        with self._mutex:
            try:
                if self._fd < 0:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                os.write(self._fd, line)
            except OSError:
                return
            finally:
                self._waiting.add(delivery_id)

    def stored(self, delivery_ids: Iterable[int]) -> None:
        """The store has these now."""
        with self._mutex:
            waited = bool(self._waiting)
            self._waiting.difference_update(delivery_ids)
            if waited and not self._waiting and self._fd >= 0:
                os.ftruncate(self._fd, 0)

    def close(self) -> None:
        """A file with nothing in it goes."""
        with self._mutex:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
                if not self._waiting:
                    self._path.unlink(missing_ok=True)
