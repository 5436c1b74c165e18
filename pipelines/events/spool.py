"""The disk spool: where messages wait, in order, while the bus is away or full.

A folder of segment files, each a run of lines `crc32 body`, and a cursor that says what has been sent. An append
returns when the line is on the disk; a line torn by a power cut was therefore never promised and is cut off at the next
start. A message leaves only after the bus took it; between the two a crash sends it again, which the bus recognises by
its id.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pipelines.errors import BadInput, Unavailable
from pipelines.files import write_atomically
from pipelines.logs import fields

_log = logging.getLogger(__name__)

_SUFFIX: Final = ".spool"
DEFAULT_MAX_BYTES: Final = 256 * 1024**2
DEFAULT_SEGMENT_BYTES: Final = 4 * 1024**2


class SpoolFull(Unavailable):
    """The spool reached its bound (or the disk is full): the message is *not* safe."""


class _Line(NamedTuple):
    body: bytes | None  # None: damaged
    end: int  # offset behind the line


def _encode(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _lines(data: bytes, offset: int) -> Iterator[_Line]:
    """Whole lines from `offset`; a tail without a line end is not one."""
    while True:
        newline = data.find(b"\n", offset)
        if newline < 0:
            return
        line, offset = data[offset:newline], newline + 1
        crc, _, body = line.partition(b" ")
        good = len(crc) == 8 and crc == b"%08x" % zlib.crc32(body)
        yield _Line(body if good else None, offset)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Spool:
    """One producer's spool on one folder, which a lock keeps to one process. Thread-safe. `open()` before use."""

    def __init__(
        self, folder: Path, max_bytes: int = DEFAULT_MAX_BYTES, segment_bytes: int = DEFAULT_SEGMENT_BYTES
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._mutex = threading.Lock()
        self._lock_fd: int | None = None
        self._write_fd: int | None = None
        self._segments: list[int] = []  # numbers, oldest first
        self._write_end = 0  # size of the newest segment
        self._offset = 0  # sent part of the oldest segment
        self._size_bytes = 0
        self._count = 0

    def __len__(self) -> int:
        """Messages waiting."""
        return self._count

    @property
    def size_bytes(self) -> int:
        """What the segments hold on disk."""
        return self._size_bytes

    def open(self) -> None:
        """Take the folder and mend what a crash left.

        Raises: BadInput: another process has it, or it cannot be written.
        """
        if self._lock_fd is not None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self._mutex:
                self._recover()
        except BlockingIOError:
            self.close()
            raise BadInput(f"another process uses the spool {self._folder}: one worker, one spool folder") from None
        except OSError as error:
            self.close()
            raise BadInput(f"the spool {self._folder} cannot be used: {error.strerror}") from error

    def close(self) -> None:
        with self._mutex:
            for fd in (self._write_fd, self._lock_fd):
                if fd is not None:
                    os.close(fd)
            self._write_fd = self._lock_fd = None

    def append(self, body: bytes) -> None:
        """Keep one message; returns when it is on the disk. `body` holds no line end.

        Raises: SpoolFull: the bound is reached or the disk takes no more; the message is not kept.
        """
        if b"\n" in body:
            raise ValueError("a spooled message is one line")
        line = _encode(body)
        with self._mutex:
            if self._size_bytes + len(line) > self._max_bytes:
                raise SpoolFull(f"the spool {self._folder} is full ({self._count} messages, {self._size_bytes} bytes)")
            try:
                fd = self._writable()
                self._write(fd, line)
            except OSError as error:
                raise SpoolFull(f"the spool {self._folder} cannot be written: {error.strerror}") from error
            self._write_end += len(line)
            self._size_bytes += len(line)
            self._count += 1

    def peek(self, limit: int) -> list[bytes]:
        """The oldest messages, at most `limit`, in order; they stay until `drop`."""
        with self._mutex:
            bodies: list[bytes] = []
            offset = self._offset
            for number in self._segments:
                for line in _lines(self._path(number).read_bytes(), offset):
                    if len(bodies) == limit:
                        return bodies
                    if line.body is not None:
                        bodies.append(line.body)
                if len(bodies) == limit:
                    return bodies
                offset = 0
            return bodies

    def drop(self, count: int) -> None:
        """Forget the `count` oldest messages: the bus has them."""
        with self._mutex:
            while count > 0 and self._segments:
                number = self._segments[0]
                for line in _lines(self._path(number).read_bytes(), self._offset):
                    if count == 0:
                        break
                    self._offset = line.end
                    if line.body is not None:
                        count -= 1
                        self._count -= 1
                if self._offset >= self._path(number).stat().st_size:
                    self._remove_oldest()
            self._save_cursor()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}{_SUFFIX}"

    def _recover(self) -> None:
        self._segments = sorted(int(path.stem) for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdigit())
        number, offset = self._load_cursor()
        while self._segments and self._segments[0] < number:
            self._path(self._segments.pop(0)).unlink()
        self._offset = offset if self._segments and self._segments[0] == number else 0
        self._count = self._size_bytes = 0
        damaged = 0
        for index, segment in enumerate(self._segments):
            data = self._path(segment).read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                # The append was never answered: nobody relies on it.
                os.truncate(self._path(segment), whole)
                _log.warning("cut a torn line off the spool", extra=fields(file=str(self._path(segment))))
            self._size_bytes += whole
            for line in _lines(data, self._offset if index == 0 else 0):
                damaged += line.body is None
                self._count += line.body is not None
        if damaged:
            _log.error("the spool holds damaged lines, which cannot be sent", extra=fields(lines=damaged))
        if self._segments:
            # What is left is replayed; new messages go into a fresh segment, so a mended file is never appended to.
            self._begin_segment(self._segments[-1] + 1)

    def _load_cursor(self) -> tuple[int, int]:
        try:
            number, offset = (self._folder / "cursor").read_text("ascii").split()
            return int(number), int(offset)
        except (FileNotFoundError, ValueError):
            return 0, 0

    def _save_cursor(self) -> None:
        number = self._segments[0] if self._segments else 0
        write_atomically(self._folder / "cursor", f"{number} {self._offset}\n".encode())

    def _remove_oldest(self) -> None:
        number = self._segments[0]
        if len(self._segments) == 1 and self._write_fd is not None:
            os.close(self._write_fd)
            self._write_fd = None
        path = self._path(number)
        self._size_bytes -= path.stat().st_size
        self._segments.pop(0)
        self._offset = 0
        path.unlink()

    def _begin_segment(self, number: int) -> None:
        if self._write_fd is not None:
            os.close(self._write_fd)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._write_fd = os.open(self._path(number), flags, 0o600)
        _sync_folder(self._folder)
        self._segments.append(number)
        self._write_end = 0

    def _writable(self) -> int:
        if self._write_fd is None or self._write_end >= self._segment_bytes:
            self._begin_segment(self._segments[-1] + 1 if self._segments else self._load_cursor()[0] + 1)
        assert self._write_fd is not None
        return self._write_fd

    def _write(self, fd: int, line: bytes) -> None:
        try:
            if os.write(fd, line) != len(line):
                raise OSError(28, "no space left on the device")
            os.fdatasync(fd)
        except OSError:
            # Never leave half a line in front of the next one.
            os.ftruncate(fd, self._write_end)
            raise
