"""What only a server can do: be addressed in several ways, refuse, go away, and hold a lock."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from pipelines.errors import BadInput, Unavailable
from pipelines.store import incidents
from pipelines.store.database import Database


def test_each_way_of_writing_the_address(postgres: Any) -> None:
    url = make_url(postgres.url())
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    by_socket = postgres.server.url(url.database, socket_file=True)
    for address in (plain, by_socket, f"{plain}?options=-c%20lock_timeout%3D7s&connect_timeout=3"):
        database = Database(address)
        with database.reading() as connection:
            assert connection.scalar(text("SHOW lock_timeout")) == ("7s" if "lock_timeout" in address else "15s")
            assert connection.scalar(text("SELECT '北门 😀'")) == "北门 😀"
        database.close()


def test_a_view_stays_as_it_was_at_its_beginning(postgres: Any) -> None:
    database = Database(postgres.url())
    count = text("SELECT count(*) FROM audit")
    with database.read() as reader:
        assert reader.scalar(count) == 0
        with database.write() as writer:
            writer.execute(
                text("INSERT INTO audit (at_s, who, action, subject, detail) VALUES (1, 'a', 'b', 'c', '{}')")
            )
        assert reader.scalar(count) == 0
        with pytest.raises(Exception, match="read-only"):
            reader.execute(text("DELETE FROM audit"))
    with database.write() as writer:  # the same connection again, and it writes
        assert writer.scalar(count) == 1
        writer.execute(text("DELETE FROM audit"))
    database.close()


def test_a_server_that_refuses_or_is_away(postgres: Any) -> None:
    url = make_url(postgres.url())
    for wrong in (url.set(password="hunter2"), url.set(database="nothing"), url.set(port=1)):
        database = Database(wrong.render_as_string(hide_password=False), busy_timeout_s=5)
        with pytest.raises(Unavailable, match="the store is away") as caught, database.read():
            pass
        assert "hunter2" not in str(caught.value)
        database.close()


def test_a_database_without_tables_says_what_makes_them(postgres: Any) -> None:
    database = Database(postgres.url(template="template0"))
    with pytest.raises(BadInput, match="gatewatch dispatch"), database.reading():
        pass
    threads = [threading.Thread(target=database.migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    database.close()


def test_a_writer_that_waits_too_long_says_so(postgres: Any) -> None:
    url = postgres.url()
    holder, waiter = Database(url), Database(url, busy_timeout_s=0.2)
    with holder.write() as held:
        incidents.lock(held, ["case-1"])
        with pytest.raises(Unavailable, match="lock timeout"), waiter.write() as connection:
            incidents.lock(connection, ["case-1"])
        with waiter.write() as connection:
            incidents.lock(connection, ["case-2"])
    with waiter.write() as connection:
        incidents.lock(connection, ["case-1"])
    holder.close()
    waiter.close()


def test_a_connection_that_was_cut_is_made_anew(postgres: Any) -> None:
    database, other = Database(postgres.url()), Database(postgres.url())

    def cut() -> None:
        with database.write() as connection:
            process = connection.scalar(text("SELECT pg_backend_pid()"))
            with other.write() as killer:
                killer.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
            connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable, match="away"):
        cut()
    assert database.check() == (True, "ok")
    database.close()
    other.close()


def test_the_driver_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadInput, match=r"pip install 'gatewatch\[postgres\]'"):
        Database("postgresql://127.0.0.1/gatewatch")
