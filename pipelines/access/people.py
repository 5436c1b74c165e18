"""Users and tokens: made, found, revoked. Every change is in the audit; a secret is shown once and stored as a hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

from pipelines.access.passwords import Passwords, check_rule
from pipelines.access.roles import Principal, Role
from pipelines.clock import Clock
from pipelines.errors import BadInput
from pipelines.store import people
from pipelines.store.database import Database

_NAME: Final = re.compile(r"[\w][\w.@-]{0,63}")
_TOKEN: Final = re.compile(r"gw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
#: `last_used` is written at most so often.
_TOUCH_S: Final = 60.0
LONGEST_TOKEN_S: Final = 366 * 86_400.0


def tidy_name(text: str) -> str:
    """A user's name as it is stored: `Li.Wei ` and `li.wei` are one. Raises BadInput."""
    name = unicodedata.normalize("NFKC", text).strip().casefold()
    if not _NAME.fullmatch(name):
        raise BadInput(f"{text!r:.80} is no user name: 1 to 64 letters, digits, and . _ - @")
    return name


def digest(secret: str) -> str:
    """What the store keeps of a random secret (long enough that a plain hash cannot be turned back)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def scope_of(cameras: Iterable[str] | None) -> frozenset[str] | None:
    return None if cameras is None else frozenset(cameras)


class People:
    """`known`: the configured cameras; a scope may only name those."""

    def __init__(self, database: Database, passwords: Passwords, clock: Clock) -> None:
        self._database = database
        self._passwords = passwords
        self._clock = clock

    def add_user(
        self,
        name: str,
        role: Role,
        password: str,
        *,
        by: str,
        cameras: list[str] | None = None,
        only_first: bool = False,
    ) -> str:
        """Returns the name as stored. `only_first`: only while there is no user. Raises BadInput."""
        name = tidy_name(name)
        check_rule(password, name)
        hashed = self._passwords.hash(password)
        now_s = self._clock.now_s()
        with self._database.write() as connection:
            if only_first and people.count_users(connection):
                raise BadInput("there is a user already: this link is used up")
            known = people.user(connection, name)
            if known is not None and known["revoked_s"] is None:
                raise BadInput(
                    f"there is a user {name!r} already; `gatewatch user revoke {name}` first, or another name"
                )
            row = {"name": name, "password_hash": hashed, "role": role.value, "cameras": cameras}
            people.put_user(connection, row | {"created_s": now_s, "created_by": by})
            people.forget_failures(connection, name)
            people.note(connection, now_s, by, "user.add", name, {"role": role.value, "cameras": cameras})
        return name

    def revoke_user(self, name: str, *, by: str) -> None:
        """Ends the sessions too. Raises BadInput: no such user, revoked already, or the last administrator."""
        name = tidy_name(name)
        now_s = self._clock.now_s()
        with self._database.write() as connection:
            known = people.user(connection, name)
            if known is None or known["revoked_s"] is not None:
                raise BadInput(f"there is no user {name!r}; `gatewatch user list` shows them")
            admins = [
                row["name"]
                for row in people.all_users(connection)
                if row["role"] == Role.ADMIN and row["revoked_s"] is None and row["cameras"] is None
            ]
            if admins == [name]:
                raise BadInput(f"{name!r} is the last administrator: add another one first")
            people.change_user(connection, name, revoked_s=now_s)
            people.end_sessions_of(connection, name)
            people.note(connection, now_s, by, "user.revoke", name)

    def set_password(self, name: str, password: str, *, by: str, keep_session: str = "") -> None:
        """Ends the user's sessions but `keep_session` (a hash). Raises BadInput."""
        name = tidy_name(name)
        check_rule(password, name)
        hashed = self._passwords.hash(password)
        now_s = self._clock.now_s()
        with self._database.write() as connection:
            known = people.user(connection, name)
            if known is None or known["revoked_s"] is not None:
                raise BadInput(f"there is no user {name!r}; `gatewatch user list` shows them")
            people.change_user(connection, name, password_hash=hashed)
            people.end_sessions_of(connection, name, keep_session)
            people.forget_failures(connection, name)
            people.note(connection, now_s, by, "user.password", name)

    def users(self) -> list[dict[str, Any]]:
        with self._database.read() as connection:
            return people.all_users(connection)

    def has_users(self) -> bool:
        with self._database.read() as connection:
            return people.count_users(connection) > 0

    def add_token(
        self, name: str, role: Role, lasts_s: float, *, by: str, cameras: list[str] | None = None
    ) -> tuple[str, str]:
        """Returns (id, the token itself): nobody can be shown it again. Raises BadInput."""
        name = tidy_name(name)
        if not 0 < lasts_s <= LONGEST_TOKEN_S:
            raise BadInput(f"a token lasts more than 0 s and at most {LONGEST_TOKEN_S / 86_400:.0f}d")
        token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        now_s = self._clock.now_s()
        row: dict[str, Any] = {"token_id": token_id, "secret_hash": digest(secret), "name": name, "role": role.value}
        row |= {"cameras": cameras, "created_s": now_s, "created_by": by, "expires_s": now_s + lasts_s}
        with self._database.write() as connection:
            people.put_token(connection, row)
            detail = {"name": name, "role": role.value, "cameras": cameras, "expires_s": now_s + lasts_s}
            people.note(connection, now_s, by, "token.add", token_id, detail)
        return token_id, f"gw_{token_id}_{secret}"

    def revoke_token(self, token_id: str, *, by: str) -> None:
        """Raises BadInput: no such token, or revoked already."""
        now_s = self._clock.now_s()
        with self._database.write() as connection:
            known = people.token(connection, token_id)
            if known is None or known["revoked_s"] is not None:
                raise BadInput(f"there is no token {token_id!r:.40}; `gatewatch token list` shows them")
            people.change_token(connection, token_id, revoked_s=now_s)
            people.note(connection, now_s, by, "token.revoke", token_id, {"name": known["name"]})

    def tokens(self) -> list[dict[str, Any]]:
        with self._database.read() as connection:
            return people.all_tokens(connection)

    def of_token(self, text: str) -> Principal | None:
        """Who presents `text`; None: no token of ours, or one that has expired or was revoked."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            return None
        now_s = self._clock.now_s()
        with self._database.read() as connection:
            row = people.token(connection, match[1])
        if row is None or not hmac.compare_digest(row["secret_hash"], digest(match[2])):
            return None
        if row["revoked_s"] is not None or row["expires_s"] <= now_s:
            return None
        if row["last_used_s"] is None or now_s - row["last_used_s"] >= _TOUCH_S:
            with self._database.write() as connection:
                people.change_token(connection, match[1], last_used_s=now_s)
        return Principal(f"token:{row['name']}", Role(row["role"]), scope_of(row["cameras"]), f"token:{match[1]}")
