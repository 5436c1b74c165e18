"""One fault of a configuration: where it is, what was found, what is allowed. One line each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

#: Keys and list positions from the top of the file: ("cameras", "gate-north", "rules", 0, "zone").
Place = tuple[str | int, ...]

_SHOWN: Final = 80
_PLAIN_KEY: Final = re.compile(r"[\w:-]{1,60}")
#: user:password@ of a URL. The password may hold a raw `@` or `/`: everything up to the last `@` before a blank goes.
_CREDENTIALS: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>\S*)@")
#: `password=...` in a path or query, as some recorders take it.
_FIELD: Final = re.compile(
    r"(?i)\b((?:access_)?(?:user|username|usr|password|passwd|pass|pwd|token|auth|key|secret)=)[^&\s'\"/?#]+"
)
#: Keys whose value (and every value inside it) is never shown, in an error or elsewhere.
SECRET_KEYS: Final = frozenset({"secret", "password", "token", "headers", "address"})
MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Fault:
    """`got` and `allowed` are texts ready to print; None leaves them out."""

    line: int
    place: Place
    message: str
    got: str | None = None
    allowed: str | None = None

    def text(self, file: str) -> str:
        """`file:line: path.to.key: message; got VALUE; allowed: ...`, always one line."""
        parts = [self.message]
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.allowed is not None:
            parts.append(f"allowed: {self.allowed}")
        path = dotted(self.place)
        line = f"{file}:{self.line}: {path + ': ' if path else ''}{'; '.join(parts)}"
        return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", line)


def dotted(place: Place) -> str:
    """("rules", 0, "zone") -> `rules[0].zone`; an odd key stands in quotes."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _PLAIN_KEY.fullmatch(step) else shown(step))
    return text


def mask_credentials(text: str) -> str:
    """Hide what gives access in every URL of `text`: before the `@`, and fields such as `password=`. `${NAME}` stays."""

    def hide(match: re.Match[str]) -> str:
        bare = re.sub(r"\$\{[^}]*\}|:", "", match["userinfo"])
        return match[0] if not bare else f"{match['scheme']}{MASK}@"

    def hide_field(match: re.Match[str]) -> str:
        return match[0] if "=${" in match[0] and match[0].endswith("}") else match[1] + MASK

    return _FIELD.sub(hide_field, _CREDENTIALS.sub(hide, text))


def shown(text: str, place: Place = ()) -> str:
    """A value as an error message may carry it: quoted, short, without credentials."""
    if SECRET_KEYS & set(place[-2:]) and not re.fullmatch(r"\$\{[^}]*\}", text):
        return MASK
    masked = mask_credentials(text)
    return f"'{masked if len(masked) <= _SHOWN else masked[: _SHOWN - 1] + '…'}'"


def one_of(known: Iterable[str], got: str | None = None) -> str:
    """`a, b, c (did you mean b?)`."""
    names = sorted(known)
    listed = ", ".join(names) if names else "none is defined"
    near = get_close_matches(got, names, n=1) if got else []
    return f"{listed} (did you mean {near[0]}?)" if near else listed
