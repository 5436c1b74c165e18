"""Incidents as columns: what questions about many incidents need of each, in arrays, and how a day of them is written down.

An incident has some thirty bytes here. So the answer to a question about millions is a few passes over arrays, exact to the
incident, whatever the filter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

#: Raised when what is written changes; days written by another version are made anew.
VERSION: Final = 1
#: People per square metre at which a crowd is watched, warned of, critical (as in `vision.behaviours.crowding`).
DENSITIES: Final = (2.0, 3.5, 5.0)

Floats = npt.NDArray[np.float64]


class Group(NamedTuple):
    """What many incidents have in common."""

    camera: str
    zone: str
    rule: str
    kind: str
    severity: int
    drill: bool
    verdict: str | None


class Crowd(NamedTuple):
    """Of the incident in row `row`: for how long its density is known, and for how long it was above each of DENSITIES."""

    row: int
    known_s: float
    above_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """`at_s` when they opened, ascending; `group` the place in `groups`; then seconds, NaN where it has not happened: from the
    thread's beginning to the first answer, to somebody being there, to its end, and from the opening to the incident's own
    end. `told`: somebody was told. `plates`: (row, number plate) as a person typed it. All arrays have one length.
    """

    at_s: Floats
    group: npt.NDArray[np.uint32]
    told: npt.NDArray[np.uint8]
    acknowledge_s: npt.NDArray[np.float32]
    on_site_s: npt.NDArray[np.float32]
    close_s: npt.NDArray[np.float32]
    lasted_s: npt.NDArray[np.float32]
    groups: tuple[Group, ...]
    plates: tuple[tuple[int, str], ...] = ()
    crowds: tuple[Crowd, ...] = ()

    def __len__(self) -> int:
        return len(self.at_s)

    def where(self, keep: npt.NDArray[np.bool_]) -> Columns:
        """The rows that are to be kept. `groups` stays as it is."""
        if keep.all():
            return self
        place = np.cumsum(keep) - 1
        return replace(
            self,
            **{name: getattr(self, name)[keep] for name in _ARRAYS},
            plates=tuple((int(place[row]), plate) for row, plate in self.plates if keep[row]),
            crowds=tuple(crowd._replace(row=int(place[crowd.row])) for crowd in self.crowds if keep[crowd.row]),
        )


#: Name -> how it lies in the bytes.
_ARRAYS: Final[dict[str, np.dtype[Any]]] = {
    "at_s": np.dtype("<f8"),
    "group": np.dtype("<u4"),
    "acknowledge_s": np.dtype("<f4"),
    "on_site_s": np.dtype("<f4"),
    "close_s": np.dtype("<f4"),
    "lasted_s": np.dtype("<f4"),
    "told": np.dtype("u1"),
}


def columns_of(rows: Iterable[tuple[float, Group, bool, tuple[float | None, ...]]]) -> Columns:
    """From rows (opened, group, told, (acknowledge, on site, close, lasted)), ascending."""
    groups: dict[Group, int] = {}
    at_s: list[float] = []
    group: list[int] = []
    told: list[bool] = []
    delays: list[tuple[float | None, ...]] = []
    for opened_s, common, was_told, delay in rows:
        at_s.append(opened_s)
        group.append(groups.setdefault(common, len(groups)))
        told.append(was_told)
        delays.append(delay)
    seconds = np.array(delays, dtype=np.float32).reshape(len(at_s), 4)
    return Columns(
        at_s=np.array(at_s, np.float64),
        group=np.array(group, np.uint32),
        told=np.array(told, np.uint8),
        acknowledge_s=seconds[:, 0],
        on_site_s=seconds[:, 1],
        close_s=seconds[:, 2],
        lasted_s=seconds[:, 3],
        groups=tuple(groups),
    )


def encode(columns: Columns) -> bytes:
    """A line of JSON, then the arrays one after the other, little-endian."""
    head = {
        "count": len(columns),
        "groups": columns.groups,
        "plates": columns.plates,
        "crowds": columns.crowds,
    }
    parts = [json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode(), b"\n"]
    parts += [np.ascontiguousarray(getattr(columns, name), dtype).tobytes() for name, dtype in _ARRAYS.items()]
    return b"".join(parts)


def decode(body: bytes) -> Columns:
    """What `encode` made; the arrays lie in `body`."""
    end = body.index(b"\n")
    head: dict[str, Any] = json.loads(body[:end])
    offset = end + 1
    arrays: dict[str, Any] = {}
    for name, dtype in _ARRAYS.items():
        arrays[name] = np.frombuffer(body, dtype, head["count"], offset)
        offset += head["count"] * dtype.itemsize
    return Columns(
        **arrays,
        groups=tuple(Group(*values) for values in head["groups"]),
        plates=tuple((row, plate) for row, plate in head["plates"]),
        crowds=tuple(Crowd(row, known_s, tuple(above_s)) for row, known_s, above_s in head["crowds"]),
    )
