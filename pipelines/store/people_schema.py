"""The tables of people (users, tokens, sessions) and of what they follow. The record's own are in `schema`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table, Text

#: Of the whole store.
metadata: Final = MetaData()

#: Who may use console and API. `cameras`: null is the whole site. A row is never deleted: the audit names it.
users: Final = Table(
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    # argon2id, with its salt and costs.
    Column("password_hash", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("cameras", JSON(none_as_null=True)),
    Column("created_s", Double, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("revoked_s", Double),
    Column("last_used_s", Double),
)

#: Programs that use the API. Only a hash of the secret is here.
api_tokens: Final = Table(
    "api_tokens",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("cameras", JSON(none_as_null=True)),
    Column("created_s", Double, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("expires_s", Double, nullable=False),
    Column("revoked_s", Double),
    Column("last_used_s", Double),
)

#: Browsers that are logged in. `active_s`: when a person last did something, not a page by itself.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("session_hash", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("created_s", Double, nullable=False),
    Column("active_s", Double, nullable=False),
    Column("expires_s", Double, nullable=False),
    Column("wall", Boolean, nullable=False),
    Column("address", String(64), nullable=False),
    Index("sessions_by_name", "name"),
)

#: Wrong passwords by the name that was tried, whether there is such a user or not.
login_failures: Final = Table(
    "login_failures",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_s", Double, nullable=False),
    Column("locked_until_s", Double, nullable=False),
)

#: What changed, in order, written by the database's triggers. `tx`: the transaction on PostgreSQL, 0 on SQLite; `id`: of the
#: incident or alert. Only the newest are kept.
changes: Final = Table(
    "changes",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("tx", BigInteger, nullable=False),
    Column("what", String(16), nullable=False),
    Column("id", String(64), nullable=False),
    Index("changes_in_order", "tx", "seq"),
    sqlite_autoincrement=True,
)
