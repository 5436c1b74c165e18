"""What several test files need: real footage as ffmpeg makes it, a recording volume filled with it, and the store on both
of its databases."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from sqlalchemy import NullPool, create_engine

from pipelines.bench.postgres import TemporaryPostgres, find_programs
from pipelines.errors import BadInput
from pipelines.media.ffmpeg import find_binary
from pipelines.recording import ledger
from pipelines.recording.chain import next_place
from pipelines.recording.fmp4 import Fragment, Init, StreamParser
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume
from pipelines.recording.segments import Segment, SegmentWriter
from pipelines.report import fonts
from pipelines.store.database import Database, sqlite_url

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# How long an example takes says how busy the machine is, and not whether it is right.
hypothesis.settings.register_profile("gatewatch", deadline=None)
hypothesis.settings.load_profile("gatewatch")

#: 2026-03-02 08:00:00 UTC.
MORNING_MS = 1_772_438_400_000


@dataclass(frozen=True)
class Stream:
    """A recorded stream: its header and its fragments, a key frame each second."""

    data: bytes
    init: Init
    fragments: list[Fragment]


#: As cameras send it.
PLAIN = ("-c:v", "libx264", "-preset", "ultrafast")


def recorded(source: str, codec: tuple[str, ...] = PLAIN, cut: str = "frag_keyframe") -> Stream:
    """A picture source of ffmpeg's in fragments, as the recorder gets them, a key frame each ten pictures."""
    command = [find_binary(), "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", source, *codec]
    command += ["-g", "10", "-pix_fmt", "yuv420p", "-f", "mp4"]
    command += ["-movflags", f"{cut}+empty_moov+default_base_moof+skip_trailer"]
    data = subprocess.run([*command, "pipe:1"], capture_output=True, check=True).stdout
    parser = StreamParser()
    fragments = parser.feed(data)
    assert parser.init is not None
    return Stream(data, parser.init, fragments)


@pytest.fixture(scope="session")
def stream() -> Stream:
    """Twelve seconds, 10 pictures a second."""
    return recorded("testsrc2=size=320x240:rate=10:duration=12")


@pytest.fixture(scope="session")
def counted() -> Callable[..., Stream]:
    """Eight seconds of a size, 10 pictures a second: the number of each stands in its uppermost ninth, in sixteen white or
    black fields, the lowest bit to the left; below it each field is of another grey, with fine stripes."""

    @cache
    def made(width: int, height: int, codec: tuple[str, ...] = PLAIN, cut: str = "frag_keyframe") -> Stream:
        bits = "if(lt(Y,1),235*mod(floor(N/pow(2,X)),2),60+8*X)"
        fine = "drawgrid=width=4:height=9999:thickness=2:color=white:replace=0"
        source = f"color=size=16x9:rate=10:duration=8,geq=lum='{bits}':cb=128:cr=128"
        below = f"crop=iw:ih*8/9:0:ih/9,{fine}"
        scaled = f"scale={width}:{height}:flags=neighbor,split[a][b];[b]{below}[c];[a][c]overlay=0:main_h/9"
        return recorded(f"{source},{scaled}", codec, cut)

    return made


class FilledVolume:
    """A volume with real segments of two seconds each, one after the other."""

    def __init__(self, root: Path, stream: Stream) -> None:
        self.volume = Volume.open(root, create=True)
        self.index = Index.open(self.volume.index, create=True)
        self.index.set_meta("alive_ms", str(2**53))  # as if a recorder were at work
        self._stream = stream

    def add(
        self,
        camera: str = "gate",
        start_ms: int = MORNING_MS,
        count: int = 1,
        run: str = "0a1b2c3d",
        fragments: int = 2,
    ) -> list[Segment]:
        """`count` segments from `start_ms` on, of so many fragments each (a second, unless the stream was cut otherwise)."""
        made: list[Segment] = []
        for number in range(count):
            place = fragments * (number % (len(self._stream.fragments) // fragments))
            written = self._stream.fragments[place : place + fragments]
            length_ms = round(1000 * sum(fragment.duration_s for fragment in written))
            at_ms = start_ms + number * length_ms
            writer = SegmentWriter(self.volume.root, camera, run, at_ms, self._stream.init)
            writer.open()
            for fragment in written:
                writer.append(fragment.data)
            place_in_chain = next_place(self.index, camera, at_ms, None)
            segment = writer.close(at_ms, at_ms + length_ms, place_in_chain, None)
            with self.index.transaction() as cursor:
                ledger.insert_segment(cursor, segment)
            made.append(segment)
        return made

    def path(self, segment: Segment) -> Path:
        return self.volume.root / segment.path


@pytest.fixture
def filled(tmp_path: Path, stream: Stream) -> FilledVolume:
    return FilledVolume(tmp_path / "volume", stream)


@pytest.fixture
def large(tmp_path: Path, counted: Callable[..., Stream]) -> FilledVolume:
    """Eight seconds of `counted` pictures of 1920x1080 at the gate."""
    volume = FilledVolume(tmp_path / "volume", counted(1920, 1080))
    volume.add(count=4)
    return volume


def _install(package: str, found: Callable[[], object]) -> str | None:
    """A package of Debian's, where root may install it; returns why it cannot be had, None when `found` finds it."""
    if found():
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"{package} is missing and cannot be installed here: apt-get install {package}"
    # Two processes of one run, and two runs, do not disturb each other.
    with (Path(tempfile.gettempdir()) / "gatewatch-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found():
            return None
        quiet = {"DEBIAN_FRONTEND": "noninteractive"} | os.environ
        for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(
                ["apt-get", "-qq", *command], env=quiet, capture_output=True, text=True, timeout=280, check=False
            )
    return None if found() else f"apt-get install {package} failed: {done.stderr.strip()[-300:]}"


def _need(package: str, found: Callable[[], object]) -> None:
    """Skips, visibly, where `package` cannot be had; in CI that is a failure."""
    missing = _install(package, found)
    if missing is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's browser, for the console's pages; what is expected of one is waited for as long as a busy machine needs."""
    from playwright.sync_api import expect

    _need("chromium", lambda: shutil.which("chromium"))
    expect.set_options(timeout=60_000)
    return str(shutil.which("chromium"))


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One that runs, of a module's own; whoever needs other flags starts another."""
    from playwright.sync_api import sync_playwright

    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="session")
def chinese_font() -> fonts.Font:
    """A font with Chinese, for PDFs."""

    def found() -> fonts.Font | None:
        try:
            return fonts.find(chinese=True)
        except BadInput:
            return None

    _need("fonts-wqy-microhei", found)
    return fonts.find(chinese=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[TemporaryPostgres]:
    """A server of this run's own, with a database `migrated` to copy from. Skipped where it cannot be had; never in CI."""
    _need("postgresql", find_programs)
    # Nothing in it survives the run, so nothing needs to reach the disk.
    careless = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with TemporaryPostgres(careless) as server:
        _on_server(server, "CREATE DATABASE migrated")
        template = Database(server.url("migrated"))
        template.migrate()
        template.close()
        yield server


def _on_server(server: TemporaryPostgres, statement: str) -> None:
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


@dataclass(frozen=True)
class Postgres:
    """Makes databases of one test on the run's server."""

    server: TemporaryPostgres
    made: list[str]

    def url(self, template: str = "migrated") -> str:
        """A new database; `template0`: an empty one."""
        name = f"t{uuid.uuid4().hex}"
        _on_server(self.server, f"CREATE DATABASE {name} TEMPLATE {template}")
        self.made.append(name)
        return self.server.url(name)


@pytest.fixture
def postgres(postgres_server: TemporaryPostgres) -> Iterator[Postgres]:
    made = Postgres(postgres_server, [])
    yield made
    for name in made.made:
        _on_server(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind, with its tables: what both must keep is tested on both."""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        return postgres.url()
    url = sqlite_url(tmp_path)
    database = Database(url)
    database.migrate()
    database.close()
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Database]:
    """Such a store, opened."""
    database = Database(store_url)
    yield database
    database.close()
