"""The thread that writes chunks. Analysis hands them over and goes on; what cannot be written is counted, not fatal."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread
from typing import Final

from pipelines.logs import fields
from pipelines.tracks.chunk import Chunk, encode
from pipelines.tracks.folder import write_chunk

#: Chunks that may wait. When all cameras' chunks end at once each has room; a disk that hangs costs tracks, no memory.
MOST_WAITING: Final = 64
_LOOK_S: Final = 0.2


class TrackWriter:
    """Writes the chunks of all cameras of a worker. `count(camera, outcome)` is told of each: written, failed, dropped."""

    def __init__(
        self, root: Path, count: Callable[[str, str], None], log: logging.Logger, most_waiting: int = MOST_WAITING
    ) -> None:
        self._root = root
        self._count = count
        self._log = log
        self._waiting: queue.Queue[Chunk] = queue.Queue(most_waiting)

    def put(self, chunk: Chunk) -> None:
        """Returns at once."""
        camera = chunk.origin.camera_id
        try:
            self._waiting.put_nowait(chunk)
        except queue.Full:
            self._count(camera, "dropped")
            self._log.error("tracks are not kept: the disk is too slow", extra=fields(camera=camera))

    def run(self, stop: StopEvent) -> None:
        """Until `stop` is set and nothing waits."""
        while True:
            try:
                chunk = self._waiting.get(timeout=_LOOK_S)
            except queue.Empty:
                if stop.is_set():
                    return
                continue
            self.write(chunk)

    def write(self, chunk: Chunk) -> None:
        """One chunk, in the caller's thread."""
        camera = chunk.origin.camera_id
        try:
            write_chunk(self._root, camera, chunk.from_s, encode(chunk))
        except OSError as error:
            self._count(camera, "failed")
            self._log.error("tracks are not kept: %s", error, extra=fields(camera=camera))
            return
        except Exception as error:  # noqa: BLE001
            # A fault of ours, and no reason to keep no camera's tracks any more, as without this thread.
            self._count(camera, "failed")
            self._log.error("tracks are not kept: %r", error, extra=fields(camera=camera), exc_info=error)
            return
        self._count(camera, "written")


@contextmanager
def writing(writer: TrackWriter) -> Iterator[TrackWriter]:
    """Runs `writer` in a thread; at the end everything that was handed over is written, or the disk had ten seconds."""
    stop = StopEvent()
    thread = Thread(target=writer.run, args=(stop,), name="tracks", daemon=True)
    thread.start()
    try:
        yield writer
    finally:
        stop.set()
        thread.join(10.0)
