"""Logging in with a password, and the sessions of browsers, which live in the store as hashes."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from pipelines.access.passwords import Passwords
from pipelines.access.people import digest, scope_of, tidy_name
from pipelines.access.roles import Principal, Role
from pipelines.clock import Clock
from pipelines.errors import BadInput
from pipelines.store import people
from pipelines.store.database import Database

#: So many wrong passwords in a row are forgiven; then each one doubles the wait.
FORGIVEN: Final = 5
_FIRST_WAIT_S: Final = 30.0
_LONGEST_WAIT_S: Final = 900.0
_TOUCH_S: Final = 15.0


class WrongPassword(BadInput):
    """No such user, or another password: which of the two is not told."""


class Locked(BadInput):
    """Too many wrong passwords for this name: `wait_s` says how long."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many wrong passwords for this name: try again in {wait_s:.0f} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in. `csrf` goes into its pages and comes back with everything that changes something."""

    principal: Principal
    session_hash: str
    csrf: str
    wall: bool
    created_s: float

    def csrf_fits(self, text: str) -> bool:
        return hmac.compare_digest(self.csrf.encode(), text.encode())


def _csrf(secret: str) -> str:
    """Derived, so nothing more is stored; the secret cannot be found from it."""
    return hmac.new(secret.encode(), b"gatewatch csrf", "sha256").hexdigest()


class Sessions:
    """`idle_s`: without a sign of a person a session ends, unless it is a wall's; `longest_s`: after that, in any case.

    A wall (a screen that only hangs there) is logged out after `wall_s`.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        clock: Clock,
        *,
        idle_s: float = 1800.0,
        longest_s: float = 43_200.0,
        wall_s: float = 30 * 86_400.0,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._clock = clock
        self.idle_s = idle_s
        self.longest_s = longest_s
        self.wall_s = wall_s

    def log_in(self, name: str, password: str, *, wall: bool, address: str) -> tuple[str, Session]:
        """Returns (the cookie's secret, the session). Raises WrongPassword, Locked, Unavailable."""
        known = self._known(name, password, address)
        name, now_s = str(known["name"]), self._clock.now_s()
        secret = secrets.token_urlsafe(32)
        # An administrator's screen is no wall: whoever stands before it could add users.
        wall = wall and known["role"] != Role.ADMIN
        lasts_s = self.wall_s if wall else self.longest_s
        with self._database.write() as connection:
            people.forget_failures(connection, name)
            people.forget_ended_sessions(connection, now_s, self.idle_s)
            if self._passwords.is_old(known["password_hash"]):
                people.change_user(connection, name, password_hash=self._passwords.hash(password))
            people.change_user(connection, name, last_used_s=now_s)
            row = {"session_hash": digest(secret), "name": name, "created_s": now_s, "active_s": now_s}
            people.put_session(connection, row | {"expires_s": now_s + lasts_s, "wall": wall, "address": address[:64]})
            people.note(connection, now_s, name, "login", address, {"wall": wall})
        session = self.find(secret)
        if session is None:
            raise WrongPassword("wrong name or password")  # revoked in this very moment
        return secret, session

    def confirm(self, name: str, password: str, *, address: str) -> Principal:
        """Who signs something, here and now, whoever is logged in at this screen. Wrong passwords count as at the log-in.

        Raises WrongPassword, Locked, Unavailable.
        """
        known = self._known(name, password, address)
        name = str(known["name"])
        with self._database.write() as connection:
            people.forget_failures(connection, name)
        return Principal(name, Role(known["role"]), scope_of(known["cameras"]), f"user:{name}")

    def _known(self, name: str, password: str, address: str) -> dict[str, Any]:
        """The user's row. Raises WrongPassword, Locked, Unavailable."""
        try:
            name = tidy_name(name)
        except BadInput as error:
            self._passwords.fits(None, password)
            raise WrongPassword("wrong name or password") from error
        now_s = self._clock.now_s()
        with self._database.read() as connection:
            count, locked_until_s = people.failures(connection, name, now_s)
            row = people.user(connection, name)
        if locked_until_s > now_s:
            raise Locked(locked_until_s - now_s)
        known = row if row is not None and row["revoked_s"] is None else None
        if not self._passwords.fits(None if known is None else known["password_hash"], password) or known is None:
            self._failed(name, count + 1, address)
            raise WrongPassword("wrong name or password")
        return known

    def _failed(self, name: str, count: int, address: str) -> None:
        now_s = self._clock.now_s()
        wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (count - FORGIVEN)) if count >= FORGIVEN else 0.0
        with self._database.write() as connection:
            people.note_failure(connection, name, count, now_s, now_s + wait_s)
            people.note(connection, now_s, name, "login.failed", address, {"in_a_row": count, "locked_s": wait_s})

    def find(self, secret: str, *, person: bool = False) -> Session | None:
        """Whose cookie this is; None: ended, run out, idle, revoked. `person`: somebody did something just now."""
        hashed = digest(secret)
        now_s = self._clock.now_s()
        with self._database.read() as connection:
            row = people.session(connection, hashed)
        if row is None or row["revoked_s"] is not None or row["expires_s"] <= now_s:
            return None
        if not row["wall"] and row["active_s"] < now_s - self.idle_s:
            return None
        if person and now_s - row["active_s"] >= _TOUCH_S:
            with self._database.write() as connection:
                people.touch_session(connection, hashed, now_s)
        principal = Principal(row["name"], Role(row["role"]), scope_of(row["cameras"]), f"user:{row['name']}")
        return Session(principal, hashed, _csrf(secret), bool(row["wall"]), float(row["created_s"]))

    def knows_password(self, name: str, password: str) -> bool:
        """Asked again before a password is changed."""
        with self._database.read() as connection:
            row = people.user(connection, name)
        return self._passwords.fits(None if row is None else row["password_hash"], password)

    def log_out(self, session: Session) -> None:
        with self._database.write() as connection:
            people.end_session(connection, session.session_hash)
            people.note(connection, self._clock.now_s(), session.principal.name, "logout", "")
