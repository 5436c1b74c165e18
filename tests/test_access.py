"""Users, tokens, sessions: secrets as hashes, lock-out with delay, idle log-out, and that a revoked one may do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.access.passwords import Passwords, check_rule
from pipelines.access.people import People
from pipelines.access.roles import MATRIX, Permission, Role
from pipelines.access.sessions import FORGIVEN, Locked, Sessions, WrongPassword
from pipelines.errors import BadInput
from pipelines.store.database import Database, sqlite_url
from pipelines.testing import FakeClock

GOOD = "correct horse battery"
CHEAP = Passwords.cheap()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(sqlite_url(tmp_path))
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def people(database: Database, clock: FakeClock) -> People:
    return People(database, CHEAP, clock)


@pytest.fixture
def sessions(database: Database, clock: FakeClock) -> Sessions:
    return Sessions(database, CHEAP, clock, idle_s=600.0, longest_s=3600.0, wall_s=86_400.0)


def stored(database: Database) -> bytes:
    """Everything that is on the disk."""
    database.close()
    path = Path(str(database._engine.url.database))
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def actions(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT action, who FROM audit ORDER BY audit_id")
        return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("elevenchars", "12 to 256 characters, not 11"),
        ("x" * 257, "12 to 256 characters, not 257"),
        ("abababababababab", "5 different characters"),
        ("my name is Wang!", "user's name"),
    ],
)
def test_a_password_keeps_the_rule(password: str, fault: str) -> None:
    with pytest.raises(BadInput, match=fault):
        check_rule(password, "wang")


def test_twelve_characters_of_any_script_are_enough() -> None:
    check_rule("春眠不觉晓处处闻啼鸟夜来", "wang")
    with pytest.raises(BadInput, match="not 11"):
        check_rule("春眠不觉晓处处闻啼鸟夜", "wang")  # characters are counted, not the 33 bytes


def test_the_shipped_hash_is_argon2id_and_salted() -> None:
    real = Passwords()
    one, two = real.hash(GOOD), real.hash(GOOD)
    assert one.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert one != two
    assert real.fits(one, GOOD)
    assert not real.fits(one, GOOD + "x")
    assert not real.fits(None, GOOD)
    assert CHEAP.is_old(one)


def test_no_secret_is_on_the_disk(database: Database, people: People, sessions: Sessions) -> None:
    people.add_user("wang", Role.GUARD, GOOD, by="root")
    _, token = people.add_token("wall", Role.VIEWER, 3600.0, by="root")
    cookie, session = sessions.log_in("wang", GOOD, wall=False, address="127.0.0.1")
    assert session.principal.role is Role.GUARD
    disk = stored(database)
    assert b"wang" in disk
    assert not [one for one in (GOOD, token.rpartition("_")[2], cookie, session.csrf) if one.encode() in disk]


def test_who_made_and_ended_whom_is_in_the_audit(database: Database, people: People, sessions: Sessions) -> None:
    people.add_user("root", Role.ADMIN, GOOD, by="setup")
    people.add_user("wang", Role.GUARD, GOOD, by="root")
    token_id, _ = people.add_token("wall", Role.VIEWER, 3600.0, by="root")
    with pytest.raises(WrongPassword):
        sessions.log_in("wang", "wrong password", wall=False, address="127.0.0.1")
    people.revoke_token(token_id, by="root")
    people.revoke_user("wang", by="root")
    assert actions(database) == [
        ("user.add", "setup"),
        ("user.add", "root"),
        ("token.add", "root"),
        ("login.failed", "wang"),
        ("token.revoke", "root"),
        ("user.revoke", "root"),
    ]


def test_a_name_is_one_name_however_it_is_written(people: People, sessions: Sessions) -> None:
    assert people.add_user(" Wang.Wei ", Role.GUARD, GOOD, by="root") == "wang.wei"
    with pytest.raises(BadInput, match="already"):
        people.add_user("WANG.WEI", Role.ADMIN, GOOD, by="root")
    assert sessions.log_in("Wang.Wei", GOOD, wall=False, address="a")[1].principal.name == "wang.wei"
    for bad in ("", "a b", "x" * 65, "<b>", "-a"):
        with pytest.raises(BadInput, match="is no user name"):
            people.add_user(bad, Role.GUARD, GOOD, by="root")


def test_the_last_administrator_cannot_be_revoked(people: People) -> None:
    people.add_user("one", Role.ADMIN, GOOD, by="setup")
    people.add_user("north", Role.ADMIN, GOOD, by="one", cameras=["gate-north"])
    with pytest.raises(BadInput, match="last administrator"):
        people.revoke_user("one", by="one")
    people.add_user("two", Role.ADMIN, GOOD, by="one")
    people.revoke_user("one", by="two")
    with pytest.raises(BadInput, match="no user 'one'"):
        people.revoke_user("one", by="two")
    people.add_user("one", Role.VIEWER, GOOD, by="two")
    assert [(row["name"], row["role"]) for row in people.users()] == [
        ("north", "admin"),
        ("one", "viewer"),
        ("two", "admin"),
    ]


def test_only_the_first_is_made_by_a_link(people: People) -> None:
    people.add_user("one", Role.ADMIN, GOOD, by="setup", only_first=True)
    with pytest.raises(BadInput, match="used up"):
        people.add_user("two", Role.ADMIN, GOOD, by="setup", only_first=True)


def test_a_token_is_who_it_says_until_it_expires_or_is_revoked(people: People, clock: FakeClock) -> None:
    _, token = people.add_token("north wall".replace(" ", "-"), Role.VIEWER, 3600.0, by="r", cameras=["gate-north"])
    found = people.of_token(token)
    assert found is not None
    assert (found.name, found.role, found.cameras) == ("token:north-wall", Role.VIEWER, frozenset({"gate-north"}))
    assert people.tokens()[0]["last_used_s"] == clock.now_s()
    assert "secret_hash" not in people.tokens()[0]
    assert people.of_token(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert people.of_token("gw_000000000000_" + "A" * 43) is None
    assert people.of_token("rubbish") is None
    clock.advance(3600.0)
    assert people.of_token(token) is None
    token_id, second = people.add_token("two", Role.GUARD, 60.0, by="r")
    people.revoke_token(token_id, by="r")
    assert people.of_token(second) is None
    for lasts_s in (0.0, 367 * 86_400.0):
        with pytest.raises(BadInput, match="366d"):
            people.add_token("x", Role.GUARD, lasts_s, by="r")


def fail(sessions: Sessions, name: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(WrongPassword):
            sessions.log_in(name, "wrong password", wall=False, address="a")


def test_wrong_passwords_lock_a_name_for_longer_each_time_and_the_right_one_forgets_them(
    people: People, sessions: Sessions, clock: FakeClock
) -> None:
    people.add_user("wang", Role.GUARD, GOOD, by="root")
    fail(sessions, "wang", FORGIVEN - 1)
    sessions.log_in("wang", GOOD, wall=False, address="a")
    fail(sessions, "wang", FORGIVEN)
    for wait_s in (30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0):
        with pytest.raises(Locked) as caught:
            sessions.log_in("wang", GOOD, wall=False, address="a")
        assert caught.value.wait_s == pytest.approx(wait_s)
        clock.advance(wait_s)
        fail(sessions, "wang", 1)
    clock.advance(900.0)
    sessions.log_in("wang", GOOD, wall=False, address="a")
    fail(sessions, "wang", 1)
    sessions.log_in("wang", GOOD, wall=False, address="a")


def test_a_name_that_is_nobodys_is_locked_like_a_users(sessions: Sessions) -> None:
    fail(sessions, "nobody", FORGIVEN)
    with pytest.raises(Locked):
        sessions.log_in("nobody", GOOD, wall=False, address="a")


def test_a_session_ends_when_nobody_is_there_but_a_walls_does_not(
    people: People, sessions: Sessions, clock: FakeClock
) -> None:
    people.add_user("wang", Role.GUARD, GOOD, by="root")
    desk, _ = sessions.log_in("wang", GOOD, wall=False, address="a")
    wall, _ = sessions.log_in("wang", GOOD, wall=True, address="a")
    for _ in range(3):
        clock.advance(500.0)
        assert sessions.find(desk, person=True) is not None
    clock.advance(400.0)
    assert sessions.find(desk) is not None, "a page's own questions see it"
    clock.advance(300.0)
    assert sessions.find(desk) is None, "and do not prolong it"
    assert sessions.find(wall) is not None
    clock.advance(86_400.0)
    assert sessions.find(wall) is None


def test_a_session_ends_after_its_longest_whoever_is_there(
    people: People, sessions: Sessions, clock: FakeClock
) -> None:
    people.add_user("wang", Role.GUARD, GOOD, by="root")
    desk, _ = sessions.log_in("wang", GOOD, wall=False, address="a")
    for _ in range(7):
        clock.advance(500.0)
        assert sessions.find(desk, person=True) is not None
    clock.advance(200.0)
    assert sessions.find(desk, person=True) is None


def test_an_administrators_screen_is_no_wall(people: People, sessions: Sessions) -> None:
    people.add_user("root", Role.ADMIN, GOOD, by="setup")
    assert not sessions.log_in("root", GOOD, wall=True, address="a")[1].wall


def test_revoking_and_a_new_password_end_the_sessions(people: People, sessions: Sessions) -> None:
    people.add_user("root", Role.ADMIN, GOOD, by="setup")
    people.add_user("wang", Role.GUARD, GOOD, by="root")
    one, kept = sessions.log_in("wang", GOOD, wall=False, address="a")
    two, _ = sessions.log_in("wang", GOOD, wall=False, address="a")
    people.set_password("wang", GOOD + "!", by="wang", keep_session=kept.session_hash)
    assert sessions.find(one) is not None
    assert sessions.find(two) is None
    assert sessions.knows_password("wang", GOOD + "!")
    assert not sessions.knows_password("wang", GOOD)
    people.revoke_user("wang", by="root")
    assert sessions.find(one) is None
    with pytest.raises(WrongPassword):
        sessions.log_in("wang", GOOD + "!", wall=False, address="a")


def test_every_role_has_its_line_and_only_administrators_have_all() -> None:
    assert set(MATRIX) == set(Role)
    assert [role for role in Role if MATRIX[role] == frozenset(Permission)] == [Role.ADMIN]
    assert all(Permission.SEE in MATRIX[role] for role in Role)
    assert Permission.WATCH not in MATRIX[Role.VIEWER]
    assert Permission.ANSWER not in MATRIX[Role.ANALYST]
