"""What DingTalk and WeCom really said: both refuse with status 200 and an `errcode`, and Apprise 2.3 looks at the status alone
(for Feishu and Lark it reads the answer).

Apprise has no hook for answers. Its plugins call `requests.post` through a name of their own module; that one name, in these
two modules, is replaced by something that passes everything on and notes what such an answer said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

#: Schemes of Apprise whose services answer like this.
REFUSE_WITH_200: Final = frozenset({"dingtalk", "wecombot"})
_LONGEST: Final = 200
_refusals: ContextVar[list[str] | None] = ContextVar("refusals", default=None)


def watch(service: Any) -> bool:
    """From now on notice what this service's plugin is answered. False: it does not call `requests` as this expects (another
    Apprise), so refusals with status 200 go unnoticed."""
    module = sys.modules.get(type(service).__module__)
    library = getattr(module, "requests", None)
    if library is None or not callable(getattr(library, "post", None)):
        return False
    if not isinstance(library, _Noting):
        setattr(module, "requests", _Noting(library))  # noqa: B010
    return True


@contextmanager
def refusals() -> Iterator[list[str]]:
    """What was refused with status 200 meanwhile, by calls of this context."""
    found: list[str] = []
    token = _refusals.set(found)
    try:
        yield found
    finally:
        _refusals.reset(token)


class _Noting:
    """The library `requests`, but for what `post` notes."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        response = self._library.post(*args, **kwargs)
        found = _refusals.get()
        if found is not None and response.status_code == 200:
            try:
                answer = response.json()
            except ValueError:
                answer = None
            # No JSON, or none that says so: whoever answered was not the service.
            code = answer.get("errcode") if isinstance(answer, dict) else "none"
            if code != 0:
                said = str(answer.get("errmsg", "")) if isinstance(answer, dict) else ""
                words = "".join(char for char in said if char.isprintable())[:_LONGEST]
                found.append(f"answered 200, but errcode={code}: {words}")
        return response
