"""Passwords: the rule that a new one keeps, and its argon2id hash."""

from __future__ import annotations

import unicodedata
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pipelines.errors import BadInput

SHORTEST: Final = 12
#: Hashing takes time with length: nobody may send a novel.
LONGEST: Final = 256
_DIFFERENT: Final = 5
#: Each hash fills 64 MiB and a core for some 50 ms: so many at a time, whoever knocks.
_AT_A_TIME: Final = 2


def check_rule(password: str, name: str) -> None:
    """Raises BadInput when `password` is too short, too long, too plain, or holds the user's name."""
    text = unicodedata.normalize("NFC", password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise BadInput(f"a password has {SHORTEST} to {LONGEST} characters, not {len(text)}")
    if len(set(text)) < _DIFFERENT:
        raise BadInput(f"a password has at least {_DIFFERENT} different characters")
    if name.casefold() in text.casefold():
        raise BadInput("a password does not hold the user's name")


class Passwords:
    """Hashes and checks. `hasher` None: at the costs that argon2-cffi recommends (RFC 9106)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._gate = BoundedSemaphore(_AT_A_TIME)
        #: Checked when there is no such user, so that the time of an answer does not tell.
        self._nobody: str | None = None

    @classmethod
    def cheap(cls) -> Passwords:
        """For tests, which are not about its cost: as cheap as argon2 gets."""
        return cls(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))

    def hash(self, password: str) -> str:
        with self._gate:
            return self._hasher.hash(unicodedata.normalize("NFC", password))

    def fits(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one of `stored`; None: of nobody, in the same time."""
        if len(password) > LONGEST:
            return False
        if stored is None:
            if self._nobody is None:
                self._nobody = self.hash("nobody's password")
            stored, wanted = self._nobody, False
        else:
            wanted = True
        with self._gate:
            try:
                return self._hasher.verify(stored, unicodedata.normalize("NFC", password)) and wanted
            except (VerificationError, InvalidHashError):
                return False

    def is_old(self, stored: str) -> bool:
        """Hashed with other costs than today's: hash anew at the next log-in."""
        return self._hasher.check_needs_rehash(stored)
