"""What writes into a file, turned into what a client reads: whatever its size, only a few pieces of it are in memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import IO, Any, Final, cast

_PIECE_BYTES: Final = 64 * 1024
_PIECES: Final = 8
_LOOK_S: Final = 0.5


class Gone(Exception):
    """Whoever was reading has gone; for the writer, which may clean up."""


def poured(write: Callable[[IO[bytes]], None]) -> Generator[bytes]:
    """What `write` writes, in pieces, as fast as they are taken. It runs in a thread of its own (a store's connection stays
    in one thread); what it raises is raised here. Closing the iterator makes its next write raise Gone."""
    sink = _Sink()

    def run() -> None:
        try:
            write(cast("IO[bytes]", sink))
            sink.finish(None)
        except Gone:
            pass
        except Exception as error:  # noqa: BLE001
            # It is raised again where it is read.
            sink.finish(error)

    thread = Thread(target=run, name="export", daemon=True)
    thread.start()
    try:
        while True:
            try:
                piece = sink.pieces.get(timeout=_LOOK_S)
            except Empty:
                if not thread.is_alive() and sink.pieces.empty():
                    return
                continue
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        sink.gone.set()


class _Sink(io.RawIOBase):
    def __init__(self) -> None:
        self.pieces: Queue[bytes | Exception | None] = Queue(_PIECES)
        self.gone = Event()
        self._held = bytearray()
        self._place = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self._held += data
        self._place += count
        if len(self._held) >= _PIECE_BYTES:
            self._put(bytes(self._held))
            self._held.clear()
        return count

    def finish(self, error: Exception | None) -> None:
        try:
            if error is None and self._held:
                self._put(bytes(self._held))
            self._put(error)
        except Gone:
            pass

    def _put(self, piece: bytes | Exception | None) -> None:
        while not self.gone.is_set():
            try:
                self.pieces.put(piece, timeout=_LOOK_S)
            except Full:
                continue
            return
        raise Gone
