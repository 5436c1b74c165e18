"""What the doctor says: one finding per thing that it looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """`fail` stops Gatewatch from working; `warn` costs something that the person should know of."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` is what was looked at, `said` what was found, `mend` what to do about it (empty when ok)."""

    level: Level
    name: str
    said: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ok(name: str, said: str) -> Finding:
    return Finding(Level.OK, name, said)


def warn(name: str, said: str, mend: str) -> Finding:
    return Finding(Level.WARN, name, said, mend)


def fail(name: str, said: str, mend: str) -> Finding:
    return Finding(Level.FAIL, name, said, mend)
