"""What a route asks of whoever calls it, declared at the route. `console.gate` checks it; a route without one is refused.

    @router.get("/incidents")
    @allow(Permission.SEE)
    def incidents(...): ...

Path parameters `camera`, `incident_id` and `alert_id` are checked against the caller's cameras in the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pipelines.access.roles import Permission, Principal

_ATTRIBUTE: Final = "__gatewatch_access__"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """`public`: anybody. `permission` None (and not public): whoever is logged in. `whole_site`: only those whose scope is
    the whole site. `background`: pages ask by themselves, so it is no sign of a person. `originals`: it shows or hands out
    video with people as they are, so it is closed to roles that see people only blurred.
    """

    permission: Permission | None = None
    public: bool = False
    whole_site: bool = False
    background: bool = False
    originals: bool = False

    def admits(self, principal: Principal | None) -> bool:
        """Whether `principal` (None: nobody is logged in) may use the route at all; the scope of a camera comes on top."""
        if self.public:
            return True
        if principal is None or (self.whole_site and not principal.whole_site):
            return False
        return self.permission is None or principal.may(self.permission)


def allow(
    permission: Permission, *, whole_site: bool = False, background: bool = False, originals: bool = False
) -> Callable[[F], F]:
    """Roles that have `permission`. Recorded footage (WATCH) is never blurred, so it counts as `originals`."""
    originals = originals or permission is Permission.WATCH
    return _declared(Access(permission, whole_site=whole_site, background=background, originals=originals))


def allow_signed_in(*, background: bool = False) -> Callable[[F], F]:
    """Every role."""
    return _declared(Access(background=background))


def allow_anybody() -> Callable[[F], F]:
    """Also who is not logged in."""
    return _declared(Access(public=True, background=True))


def _declared(access: Access) -> Callable[[F], F]:
    def declare(endpoint: F) -> F:
        setattr(endpoint, _ATTRIBUTE, access)
        return endpoint

    return declare


def access_of(endpoint: object) -> Access | None:
    """What was declared; None: nothing, so nobody may."""
    found = getattr(endpoint, _ATTRIBUTE, None)
    return found if isinstance(found, Access) else None
