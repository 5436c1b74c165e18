"""What the configuration of this site asks of the machine and the network."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pipelines.config.quantities import format_bytes
from pipelines.config.schema import Config
from pipelines.doctor.findings import Finding, fail, ok, warn
from pipelines.errors import GatewatchError

_GIB: Final = 2**30
#: For models, pictures, the store and the spool; recordings are judged by `recording.reserve_free`.
_LEAST_FREE_BYTES: Final = 2 * _GIB
_PORTS: Final = {"rtsp": 554, "rtsps": 322, "redis": 6379, "rediss": 6379}


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def check_data(data: Path) -> Iterator[Finding]:
    """Something is really written: a permission bit says nothing of a read-only or full volume."""
    place = _existing(data)
    mend = f"make it writable for this user (chown {os.getuid()} {place}), or name another folder with the key data"
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".gatewatch-doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield fail("Data folder", f"{data} cannot be written: {error.strerror}", mend)
        return
    yield ok("Data folder", str(data) if place == data else f"{data} (will be made)")


def check_disk(data: Path, reserve_free: int, records: bool) -> Finding:
    """`reserve_free` is what the recorder leaves free, so recording needs more than that."""
    free = shutil.disk_usage(_existing(data)).free
    said = f"{free / _GIB:.1f} GiB free at {data}"
    if free < _LEAST_FREE_BYTES:
        return fail("Disk", said, "free at least 2 GiB, or name another folder with the key data")
    if records and free <= reserve_free:
        mend = f"recording stops at recording.reserve_free ({format_bytes(reserve_free)}): free space or lower it"
        return warn("Disk", said, mend)
    return ok("Disk", said)


def check_ports(config: Config) -> Iterator[Finding]:
    """A port in use may be Gatewatch itself at work: a warning, with what answers there."""
    sections = {
        "worker": config.worker.metrics,
        "dispatcher": config.dispatcher.metrics,
        "recorder": config.recorder.metrics,
        "console": config.console.metrics,
    }
    taken = {}
    for name, listen in sections.items():
        try:
            family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((listen.host, listen.port))
        except OSError as error:
            taken[name] = f"{name} {listen.host}:{listen.port} ({error.strerror})"
        except OverflowError:
            taken[name] = f"{name} {listen.host}:{listen.port} (no such port)"
    if taken:
        mend = "stop what uses them (it may be a Gatewatch at work), or set " + ", ".join(
            f"{name}.metrics" for name in taken
        )
        yield warn("Ports", f"not free: {', '.join(taken.values())}", mend)
        return
    yield ok("Ports", "free: " + ", ".join(f"{name} {listen.port}" for name, listen in sections.items()))


def check_cameras(config: Config, timeout_s: float = 2.0) -> Iterator[Finding]:
    """Every address: a name that resolves and a port that answers, or a file that is there. No login is tried."""
    for camera_id, camera in config.cameras.items():
        name = f"Camera {camera_id}"
        streams = {"main": camera.main, **({"sub": camera.sub} if camera.sub else {})}
        wrong = [f"{stream}: {said}" for stream, at in streams.items() if (said := _unreachable(at.url, timeout_s))]
        if wrong:
            mend = f"check cable, power and address of {camera_id}; recording and analysis go on trying"
            yield warn(name, "; ".join(wrong), mend)
        else:
            yield ok(name, f"{' and '.join(streams)} answer")


def _unreachable(url: str, timeout_s: float) -> str | None:
    """Why a stream cannot be pulled, without its credentials; None when it may be."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        path = Path(rest if separator else url)
        return None if path.is_file() else f"{path} is not there"
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 554)
    try:
        with socket.create_connection((host, port), timeout_s):
            return None
    except socket.gaierror:
        return f"the name {host} does not resolve"
    except TimeoutError:
        return f"{host}:{port} does not answer within {timeout_s:g} s"
    except OSError as error:
        return f"{host}:{port}: {error.strerror}"


def check_redis(url: str | None) -> Iterator[Finding]:
    """A named Redis must answer and should keep what it was told; the embedded one is made to."""
    from pipelines.events.server import server_state

    if url is None:
        yield ok("Redis", "embedded, append-only file on (gatewatch up starts it)")
        return
    try:
        state = server_state(url)
    except GatewatchError as error:
        yield fail("Redis", str(error), "start it, or mend redis.url; leave redis.url out for the embedded one")
        return
    said = f"version {state.version}"
    troubles = []
    if state.last_write_failed:
        troubles.append(("its last write to disk failed", "look at its log and at its disk"))
    if not state.append_only:
        kept = {True: "snapshots only", False: "nothing is kept", None: "no append-only file"}[state.snapshots]
        troubles.append(
            (f"a crash loses events ({kept})", "redis-cli CONFIG SET appendonly yes, and set it in redis.conf")
        )
    if state.evicts:
        troubles.append(
            (f"it drops keys when memory is full ({state.evicts})", "CONFIG SET maxmemory-policy noeviction")
        )
    if not state.with_password and leads_elsewhere(url):
        troubles.append(("anybody on the network can use it: no password", "set requirepass, and ${NAME} in redis.url"))
    if troubles:
        reasons, mends = zip(*troubles, strict=True)
        yield warn("Redis", f"{said}: {'; '.join(reasons)}", "; ".join(mends))
    else:
        yield ok("Redis", f"{said}, append-only file on")


def leads_elsewhere(url: str) -> bool:
    """Whether an address leads off this machine."""
    host = urlsplit(url).hostname
    return host is not None and host != "localhost" and not host.startswith("127.") and host != "::1"


def check_database(url: str | None, data: Path) -> Iterator[Finding]:
    """The database of the record answers a query; an SQLite file that is not there yet is none missing."""
    from pipelines.store.database import Database, sqlite_url

    try:
        database = Database(url or sqlite_url(data))
        if database.exists():
            # A connection alone says nothing: SQLite reads the file at the first query.
            tables = "sqlite_master" if database.is_sqlite else "information_schema.tables"
            with database.read() as connection:
                connection.exec_driver_sql(f"SELECT count(*) FROM {tables}")
    except GatewatchError as error:
        yield fail("Database", str(error), "start it, or mend database.url; leave it out for SQLite in data")
        return
    kind = database.dialect.name
    yield ok("Database", f"{kind} answers" if database.exists() else f"{kind}, made at the first start")
