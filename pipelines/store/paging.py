"""Pages by key, never by offset: what comes in meanwhile moves nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.errors import BadInput

_LONGEST_PAGE: Final = 1000
#: A time and an id: newest first, then by id.
Key = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Page:
    """`cursor` asks for the next page; None: this was the last."""

    rows: list[dict[str, Any]]
    cursor: str | None


def paged(rows: list[dict[str, Any]], key: tuple[str, str], limit: int) -> Page:
    """`rows` has one more than a page holds when there is another page. `key` names the columns."""
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(rows[:limit], None if last is None else _cursor(last[key[0]], last[key[1]]))


def check_limit(limit: int) -> None:
    """Raises BadInput."""
    if not 1 <= limit <= _LONGEST_PAGE:
        raise BadInput(f"a page holds 1..{_LONGEST_PAGE} rows, not {limit}")


def after(cursor: str | None) -> Key | None:
    """The key of the last row of the page before. Raises BadInput: the cursor is not one of ours."""
    if cursor is None:
        return None
    try:
        found: Sequence[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        time_s, name = found
        if isinstance(name, str) and "\0" not in name:
            return float(time_s), name
    except (ValueError, TypeError, binascii.Error):
        pass
    raise BadInput(f"{cursor!r} is not a cursor that a list has given")


def _cursor(time_s: float, name: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([time_s, name]).encode()).decode().rstrip("=")
