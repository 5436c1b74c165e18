"""Reading and writing users, tokens, sessions and wrong passwords. What they mean is `pipelines.access`'s business."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, insert, or_, select, update

from pipelines.store.people_schema import api_tokens, login_failures, sessions, users
from pipelines.store.schema import audit

#: Wrong passwords older than this are forgotten.
_FORGET_S: Final = 86_400.0


def _one(connection: Connection, table: Table, *conditions: Any) -> dict[str, Any] | None:
    row = connection.execute(select(table).where(*conditions)).first()
    return None if row is None else dict(row._mapping)


def user(connection: Connection, name: str) -> dict[str, Any] | None:
    return _one(connection, users, users.c.name == name)


def all_users(connection: Connection) -> list[dict[str, Any]]:
    """By name, without their hashes."""
    shown = [column for column in users.c if column.name != "password_hash"]
    return [dict(row._mapping) for row in connection.execute(select(*shown).order_by(users.c.name))]


def count_users(connection: Connection) -> int:
    """Users that are not revoked."""
    statement = select(func.count()).select_from(users).where(users.c.revoked_s.is_(None))
    return connection.scalar(statement) or 0


def put_user(connection: Connection, row: dict[str, Any]) -> None:
    """Add a user, or put another in the place of one that was revoked."""
    connection.execute(delete(users).where(users.c.name == row["name"]))
    connection.execute(insert(users).values(revoked_s=None, last_used_s=None, **row))


def change_user(connection: Connection, name: str, **changes: Any) -> bool:
    """False: there is no such user."""
    return connection.execute(update(users).where(users.c.name == name).values(**changes)).rowcount > 0


def token(connection: Connection, token_id: str) -> dict[str, Any] | None:
    return _one(connection, api_tokens, api_tokens.c.token_id == token_id)


def all_tokens(connection: Connection) -> list[dict[str, Any]]:
    """Oldest first, without their hashes."""
    shown = [column for column in api_tokens.c if column.name != "secret_hash"]
    order = (api_tokens.c.created_s, api_tokens.c.token_id)
    return [dict(row._mapping) for row in connection.execute(select(*shown).order_by(*order))]


def put_token(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(api_tokens).values(revoked_s=None, last_used_s=None, **row))


def change_token(connection: Connection, token_id: str, **changes: Any) -> bool:
    """False: there is no such token."""
    statement = update(api_tokens).where(api_tokens.c.token_id == token_id).values(**changes)
    return connection.execute(statement).rowcount > 0


def session(connection: Connection, session_hash: str) -> dict[str, Any] | None:
    """A session with its user's `role`, `cameras` and `revoked_s`."""
    joined = sessions.join(users, users.c.name == sessions.c.name)
    statement = select(sessions, users.c.role, users.c.cameras, users.c.revoked_s).select_from(joined)
    row = connection.execute(statement.where(sessions.c.session_hash == session_hash)).first()
    return None if row is None else dict(row._mapping)


def put_session(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(sessions).values(**row))


def touch_session(connection: Connection, session_hash: str, now_s: float) -> None:
    connection.execute(update(sessions).where(sessions.c.session_hash == session_hash).values(active_s=now_s))


def end_session(connection: Connection, session_hash: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.session_hash == session_hash))


def end_sessions_of(connection: Connection, name: str, besides: str = "") -> int:
    """All of a user's; returns how many. `besides`: the hash of one that stays."""
    statement = delete(sessions).where(sessions.c.name == name, sessions.c.session_hash != besides)
    return connection.execute(statement).rowcount


def forget_ended_sessions(connection: Connection, now_s: float, idle_s: float) -> None:
    """Those that have run out, or were idle too long and are no wall."""
    idle = (sessions.c.wall.is_(False)) & (sessions.c.active_s < now_s - idle_s)
    connection.execute(delete(sessions).where(or_(sessions.c.expires_s <= now_s, idle)))


def failures(connection: Connection, name: str, now_s: float) -> tuple[int, float]:
    """Wrong passwords in a row for a name, and until when it is locked."""
    row = _one(connection, login_failures, login_failures.c.name == name)
    if row is None or row["last_s"] < now_s - _FORGET_S:
        return 0, 0.0
    return int(row["failures"]), float(row["locked_until_s"])


def note_failure(connection: Connection, name: str, count: int, now_s: float, locked_until_s: float) -> None:
    """`count` wrong passwords in a row by now. Forgets what is old, so that guessed names do not fill the store."""
    old = login_failures.c.last_s < now_s - _FORGET_S
    connection.execute(delete(login_failures).where(or_(old, login_failures.c.name == name)))
    row = {"name": name, "failures": count, "last_s": now_s, "locked_until_s": locked_until_s}
    connection.execute(insert(login_failures).values(**row))


def forget_failures(connection: Connection, name: str) -> None:
    connection.execute(delete(login_failures).where(login_failures.c.name == name))


def note(
    connection: Connection, now_s: float, who: str, action: str, subject: str, detail: dict[str, Any] | None = None
) -> None:
    """Into the audit."""
    row = {"at_s": now_s, "who": who, "action": action, "subject": subject, "detail": detail or {}}
    connection.execute(insert(audit).values(**row))
