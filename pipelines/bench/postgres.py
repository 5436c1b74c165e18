"""A PostgreSQL server of one's own for a benchmark or a test: Debian's programs on a folder that is deleted afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from pipelines.children import spawn
from pipelines.errors import Unavailable

_USER: Final = "gatewatch"
_TRIES: Final = 5
_START_S: Final = 90.0


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, newest version first; None: there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = [Path(found).parent for name in ("initdb",) if (found := shutil.which(name)) is not None]
    for folder in (*debian, *on_path):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


class TemporaryPostgres:
    """Listens on a free port of the loopback, with a password. A server started by root runs as `postgres` (or `nobody`),
    since PostgreSQL refuses root. It dies with the thread that started it. `settings` are lines of postgresql.conf.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, folder: Path | None = None) -> None:
        """`folder` is where the server's own folder is made; None: the system's for temporary files."""
        self._settings = dict(settings or {})
        self._under = folder
        self._password = secrets.token_hex(12)
        self._port = 0
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> TemporaryPostgres:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """Where the databases are."""
        assert self._folder is not None, "not started"
        return self._folder

    def url(self, database: str = "postgres", *, socket_file: bool = False) -> str:
        """How Gatewatch's `database.url` names one of its databases."""
        if socket_file:
            return (
                f"postgresql+psycopg://{_USER}:{self._password}@/{database}?host={self.folder.parent}&port={self._port}"
            )
        return f"postgresql+psycopg://{_USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Raises: Unavailable: the programs are missing, or the server does not start."""
        programs = find_programs()
        if programs is None:
            raise Unavailable("PostgreSQL's server programs are missing: apt-get install postgresql")
        top = Path(tempfile.mkdtemp(prefix="gatewatch-pg-", dir=self._under))
        self._folder = top / "data"
        try:
            password = top / "password"
            password.write_text(self._password)
            if os.geteuid() == 0:
                owner = _owner()
                for path in (top, password):
                    os.chown(path, owner.pw_uid, owner.pw_gid)
            made = subprocess.run(
                [
                    *_as_user(),
                    str(programs / "initdb"),
                    f"--pgdata={self._folder}",
                    f"--username={_USER}",
                    "--auth=scram-sha-256",
                    f"--pwfile={password}",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--no-sync",
                    "--no-instructions",
                ],
                cwd=top,
                capture_output=True,
                text=True,
                check=False,
            )
            if made.returncode != 0:
                raise Unavailable(f"initdb failed: {made.stderr.strip()[-300:]}")
            self._launch(programs, top)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server at once and delete its folder; may be repeated."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder.parent, ignore_errors=True)

    def _launch(self, programs: Path, top: Path) -> None:
        said = ""
        # A port that was free may be taken until the server wants it.
        for _ in range(_TRIES):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self._port = probe.getsockname()[1]
            settings = {"listen_addresses": "127.0.0.1", "port": str(self._port), "unix_socket_directories": str(top)}
            options = [f"-c{name}={value}" for name, value in (settings | self._settings).items()]
            log = top / "server.log"
            with log.open("wb") as output:
                self._process = spawn(
                    [*_as_user(), str(programs / "postgres"), "-D", str(self._folder), *options],
                    stdout=output,
                    stderr=output,
                    cwd=top,
                    death_signal=signal.SIGQUIT,
                )
            if self._ready():
                return
            said = log.read_text(errors="replace").strip()[-300:]
        raise Unavailable(f"PostgreSQL does not start: {said}")

    def _ready(self) -> bool:
        """Whether it came to take connections; the server writes so into its own file."""
        assert self._process is not None
        deadline_s = time.monotonic() + _START_S
        state = self.folder / "postmaster.pid"
        while self._process.poll() is None and time.monotonic() < deadline_s:
            try:
                lines = state.read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) > 7 and lines[7].strip() == "ready":
                return True
            time.sleep(0.02)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        state.unlink(missing_ok=True)
        return False


def _owner() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable("PostgreSQL does not run as root, and there is no other user: create the user postgres")


def _as_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    owner = _owner()
    # The signal at the parent's death is lost when the user changes, so it is asked for again.
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig=QUIT"]
