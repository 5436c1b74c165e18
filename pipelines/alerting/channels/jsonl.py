"""Alerts as JSON lines appended to a file."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Final

from pipelines.alerting.channels.base import Message, NotDelivered


class JsonLinesChannel:
    """Appends one object per message and syncs it; several processes may write the same file.

    The file is opened for each message, so it can be moved away (logrotate) at any time.
    """

    workers: Final = 1

    def __init__(self, path: Path, name: str = "jsonl") -> None:
        self._path = path
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message) -> str:
        line = json.dumps(message.to_dict(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                end = os.fstat(fd).st_size
                if end and os.pread(fd, 1, end - 1) != b"\n":
                    line = b"\n" + line  # a line that a power cut tore stays alone
                if os.write(fd, line) != len(line):
                    os.ftruncate(fd, end)
                    raise NotDelivered(f"{self._path}: no space left")
                os.fdatasync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise NotDelivered(f"{self._path}: {error.strerror}") from error
        return "written"

    def close(self) -> None:
        pass
