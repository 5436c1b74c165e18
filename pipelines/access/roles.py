"""Roles and what they may do, in one table; and who is asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    """One per user or token."""

    VIEWER = "viewer"
    """Looks at what happens now."""
    GUARD = "guard"
    """Answers alerts; looks at footage."""
    ANALYST = "analyst"
    """Asks the history, exports, holds footage; answers nothing."""
    ADMIN = "admin"
    """Everything, users and configuration included."""


class Permission(StrEnum):
    """What a route can ask for."""

    SEE = "see"
    """Incidents, alerts, cameras, live pictures."""
    ANSWER = "answer"
    """Acknowledge, go, close, raise by hand, snooze."""
    JUDGE = "judge"
    """Give a verdict."""
    WATCH = "watch"
    """Recorded footage."""
    HOLD = "hold"
    """Keep footage from being deleted."""
    EXPORT = "export"
    """Take figures or footage out."""
    OPERATE = "operate"
    """Deliveries, dead letters, processes; release holds."""
    CONFIGURE = "configure"
    """Zones, masks, rules."""
    PEOPLE = "people"
    """Users, tokens, the audit."""


_VIEWER: Final = frozenset({Permission.SEE})
MATRIX: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.GUARD: _VIEWER | {Permission.ANSWER, Permission.JUDGE, Permission.WATCH},
        Role.ANALYST: _VIEWER | {Permission.JUDGE, Permission.WATCH, Permission.HOLD, Permission.EXPORT},
        Role.ADMIN: frozenset(Permission),
    }
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `cameras`: the ids that they may know of; None: the whole site. `key`: names it for rate limits."""

    name: str
    role: Role
    cameras: frozenset[str] | None
    key: str

    def may(self, permission: Permission) -> bool:
        return permission in MATRIX[self.role]

    def sees(self, camera: str) -> bool:
        """Whether `camera` (an id; empty or `-`: none, the site itself) is in the scope."""
        return self.cameras is None or camera in self.cameras

    @property
    def whole_site(self) -> bool:
        return self.cameras is None


def sees_all(principal: Principal, cameras: Iterable[str] | None) -> bool:
    """Whether all of `cameras` are in the scope; None: the whole site."""
    return principal.whole_site if cameras is None else all(principal.sees(camera) for camera in cameras)
