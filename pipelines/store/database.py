"""The connection to the store: SQLite in WAL with one writer by default, PostgreSQL by a URL."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipelines.errors import BadInput, GatewatchError, Unavailable
from pipelines.logs import mask_urls
from pipelines.sqlite import write_ahead
from pipelines.store.turn import Turn

#: How long a writer waits for another process's transaction before it says that the store is away.
DEFAULT_BUSY_TIMEOUT_S: Final = 15.0
#: What the functions of the store work in, for those who put several into one.
Transaction = Connection
_MIGRATIONS: Final = Path(__file__).with_name("migrations")
#: Any number; the same in every Gatewatch, so that migrations of one PostgreSQL wait for each other.
_MIGRATION_LOCK: Final = 0x67617465


class Refused(GatewatchError):
    """The store refuses these values (not its state): trying the same again will not help."""


def sqlite_url(data: Path) -> str:
    """The store of a site whose configuration names no database."""
    return f"sqlite:///{data / 'gatewatch.db'}"


class Database:
    """One process's way to the store. The constructor connects to nothing; `migrate` or the first query does."""

    def __init__(self, url: str, busy_timeout_s: float = DEFAULT_BUSY_TIMEOUT_S) -> None:
        try:
            parsed = make_url(url)
            self.is_sqlite = parsed.get_backend_name() == "sqlite"
            self._path = Path(parsed.database) if self.is_sqlite and parsed.database else None
            options: dict[str, Any] = {"pool_pre_ping": not self.is_sqlite, "pool_size": 8}
            if self.is_sqlite:
                options["connect_args"] = {"timeout": busy_timeout_s, "check_same_thread": False}
            elif parsed.get_backend_name() == "postgresql":
                parsed, options["connect_args"] = _for_postgres(parsed, busy_timeout_s)
            self._engine: Engine = create_engine(parsed, **options)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
                raise BadInput("PostgreSQL needs the package psycopg: pip install 'gatewatch[postgres]'") from error
            raise BadInput(
                f"database.url {mask_urls(url)!r} cannot be used ({error}); "
                "expected sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
            ) from error
        # SQLite takes one writer at a time anyway; waiting here is fair and quick, waiting in SQLite is neither.
        self._writer = threading.Lock()
        self._busy_timeout_s = busy_timeout_s
        self._turn = None if self._path is None else Turn(self._path, busy_timeout_s)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", self._begin_sqlite)

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def exists(self) -> bool:
        """Whether there is a store at all (an SQLite file; a server is asked by the query itself)."""
        return self._path is None or self._path.exists()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view: all its queries see the same moment. Raises Unavailable when the store is away."""
        with mapped(), self._engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """`read` for a command that only asks. Raises BadInput when there is no store yet, or an older one."""
        if not self.exists():
            raise BadInput(f"there is no store at {self._path} yet: `gatewatch dispatch` (or `up`) makes it")
        with self.read() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            if found != _newest():
                raise BadInput(
                    "the store's tables are of another version: run this version's `gatewatch dispatch` once"
                )
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """One transaction: all of it or nothing. Raises Unavailable (locked, away, full) or Refused (bad values).

        What was committed survives whatever happens to this process. If not `durable`, a power cut may take back the last
        moment's commits (whole ones, newest first), and the disk is not waited for: for what is then simply done again.
        """
        with mapped(), self._writer if self.is_sqlite else nullcontext(), self._engine.connect() as plain:
            connection = plain.execution_options(gatewatch_write="durable" if durable else "quick")
            with connection.begin():
                if not self.is_sqlite and not durable:
                    connection.execute(text("SET LOCAL synchronous_commit TO OFF"))
                yield connection

    def migrate(self) -> None:
        """Bring the tables to this version; harmless when they are. Several processes may do it at once.

        Raises: BadInput: the store was written by a newer Gatewatch, or its folder cannot be made.
        """
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BadInput(f"the store's folder {self._path.parent} cannot be made: {error.strerror}") from error
        with self.write() as connection:
            if not self.is_sqlite:
                # Another process may be making an index over years of rows: that is waited for, however long it takes.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            found = MigrationContext.configure(connection).get_current_revision()
            script = _scripts()
            if found == script.get_current_head():
                return
            if found is not None and found not in {revision.revision for revision in script.walk_revisions()}:
                raise BadInput(f"the store has the tables of a newer Gatewatch ({found}): update this one")
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> tuple[bool, str]:
        """For /readyz."""
        try:
            with self.read() as connection:
                connection.execute(text("SELECT 1 FROM alembic_version"))
        except GatewatchError as error:
            return False, str(error)
        return True, "ok"

    def close(self) -> None:
        self._engine.dispose()
        if self._turn is not None:
            self._turn.close()

    def _begin_sqlite(self, connection: Connection) -> None:
        # A reader that later wants to write would fail at once when another wrote meanwhile: a writer says so at the start.
        writes = connection.get_execution_options().get("gatewatch_write")
        if writes is None:
            connection.exec_driver_sql("BEGIN")
            return
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        # FULL: what is committed survives a power cut, for its message is acknowledged right after.
        driver.execute(f"PRAGMA synchronous={'FULL' if writes == 'durable' else 'NORMAL'}")
        if self._turn is None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        driver.execute("PRAGMA busy_timeout=0")
        try:
            if not self._turn.begin(driver):
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # which says what is wrong
        finally:
            driver.execute(f"PRAGMA busy_timeout={round(1000 * self._busy_timeout_s)}")


@contextmanager
def database_beside(url: str) -> Iterator[str]:
    """A new database on the PostgreSQL server of `url`; dropped afterwards. Raises Unavailable, Refused (it may not)."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise BadInput(f"{mask_urls(url)} is no PostgreSQL: postgresql+psycopg://USER:PASSWORD@HOST/NAME")
    server, _ = _for_postgres(parsed, DEFAULT_BUSY_TIMEOUT_S)
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"gatewatch_{secrets.token_hex(6)}"
    try:
        with mapped(), engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            with mapped(), engine.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        engine.dispose()


def _for_postgres(url: URL, busy_timeout_s: float) -> tuple[URL, dict[str, Any]]:
    """The driver that is meant by `postgresql://`, and what libpq is told unless the address says otherwise."""
    if "+" not in url.drivername:
        url = url.set(drivername="postgresql+psycopg")
    told: dict[str, Any] = {
        "application_name": "gatewatch",
        "connect_timeout": max(2, round(busy_timeout_s)),
        # A server that lost its power does not say so.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        # Compiling a question takes a hundred times as long as ours take to be answered.
        "options": f"-c lock_timeout={round(1000 * busy_timeout_s)} -c jit=off",
    }
    return url, {name: value for name, value in told.items() if name not in url.query}


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic())


@cache
def _newest() -> str | None:
    """The version of this program's tables. Reading all steps takes longer than most questions; they do not change."""
    return _scripts().get_current_head()


@contextmanager
def mapped() -> Iterator[None]:
    """SQLAlchemy's errors as ours, without the statement and its values."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable(f"the store is away: {_said(error)}") from error
    except DBAPIError as error:
        # A connection that broke in the middle is no fault of the values.
        kind = Unavailable if error.connection_invalidated else Refused
        raise kind(f"the store refuses: {_said(error)}") from error


def _said(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    lines = str(original).strip().splitlines()
    return mask_urls(lines[0]) if lines else type(original).__name__


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Transactions begin where we say (below), not where the driver guesses.
    connection.isolation_level = None
    write_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA cache_size=-32000")
