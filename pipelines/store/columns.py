"""Incidents as columns: what questions about many incidents need of each, in arrays, and how a day of them is written down.

An incident has some thirty bytes here. So the answer to a question about millions is a few passes over arrays, exact to the
incident, whatever the filter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

#: Raised when what is written changes; days written by another version are made anew.
VERSION: Final = 4
#: People per square metre at which a crowd is watched, warned of, critical (as in `vision.behaviours.crowding`).
DENSITIES: Final = (2.0, 3.5, 5.0)
_CROWD_WIDTH: Final = 1 + len(DENSITIES)


class Place(NamedTuple):
    """What many incidents have in common: a rule on a camera's zone."""

    camera: str
    zone: str
    rule: str
    kind: str


class Crowd(NamedTuple):
    """Of the incident in row `row`: for how long its density is known, and for how long it was above each of DENSITIES."""

    row: int
    known_s: float
    above_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """`at_s` when they opened, ascending; `place` and `verdict` are numbers in `places` and `verdicts` ("none": not judged).
    Then seconds, NaN where it has not happened: from the thread's beginning to the first answer, to somebody being there, to
    its end, and from the opening to the incident's own end. `told`: somebody was told. `plates`: (row, number plate) as a
    person typed it. All these arrays have one length. Of each crowd in row `crowd_row` (ascending), `crowd_s` has for how long
    its density is known, then for how long it was at or above each of DENSITIES.
    """

    at_s: npt.NDArray[np.float64]
    place: npt.NDArray[np.uint32]
    acknowledge_s: npt.NDArray[np.float32]
    on_site_s: npt.NDArray[np.float32]
    close_s: npt.NDArray[np.float32]
    lasted_s: npt.NDArray[np.float32]
    severity: npt.NDArray[np.uint8]
    verdict: npt.NDArray[np.uint8]
    drill: npt.NDArray[np.uint8]
    told: npt.NDArray[np.uint8]
    places: tuple[Place, ...]
    verdicts: tuple[str, ...]
    plates: tuple[tuple[int, str], ...]
    crowd_row: npt.NDArray[np.uint32]
    crowd_s: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.at_s)

    def where(self, keep: npt.NDArray[np.bool_]) -> Columns:
        """The rows that are to be kept. `places` stay as they are."""
        if keep.all():
            return self
        place = np.cumsum(keep) - 1
        crowds = keep[self.crowd_row]
        return replace(
            self,
            **{name: getattr(self, name)[keep] for name in _ARRAYS},
            plates=tuple((int(place[row]), plate) for row, plate in self.plates if keep[row]),
            crowd_row=place[self.crowd_row[crowds]].astype(np.uint32),
            crowd_s=self.crowd_s[crowds],
        )


#: Name -> how it lies in the bytes.
_ARRAYS: Final[dict[str, np.dtype[Any]]] = {
    "at_s": np.dtype("<f8"),
    "place": np.dtype("<u4"),
    "acknowledge_s": np.dtype("<f4"),
    "on_site_s": np.dtype("<f4"),
    "close_s": np.dtype("<f4"),
    "lasted_s": np.dtype("<f4"),
    "severity": np.dtype("u1"),
    "verdict": np.dtype("u1"),
    "drill": np.dtype("u1"),
    "told": np.dtype("u1"),
}


class Row(NamedTuple):
    """One incident; `delays_s` are to the first answer, to somebody being there, to the thread's end, and how long it lasted."""

    at_s: float
    place: Place
    severity: int
    verdict: str
    drill: bool
    told: bool
    delays_s: tuple[float | None, ...]


def columns_of(rows: Sequence[Row], plates: Sequence[tuple[int, str]], crowds: Sequence[Crowd]) -> Columns:
    """From rows, ascending."""
    told = list(zip(*rows, strict=True)) if rows else [()] * len(Row._fields)
    at_s, place, severity, verdict, drill, sent, delays = told
    seconds = np.array(delays, dtype=np.float64).reshape(len(rows), 4)
    return columns_from(
        at_s=at_s,
        places=place,
        severity=severity,
        verdicts=verdict,
        drill=drill,
        told=sent,
        seconds=seconds,
        plates=plates,
        crowds=crowds,
    )


def columns_from(
    *,
    at_s: Sequence[float],
    places: Sequence[tuple[str, ...]],
    severity: Sequence[int],
    verdicts: Sequence[str],
    drill: Sequence[bool],
    told: Sequence[bool],
    seconds: npt.NDArray[np.float64],
    plates: Sequence[tuple[int, str]],
    crowds: Sequence[Crowd],
) -> Columns:
    """From one sequence for each thing that is known of incidents, ascending; `seconds` has the four delays of each."""
    # In one order: then the places of many days are the same, and are read once.
    of_place = {place: number for number, place in enumerate(sorted(set(places)))}
    of_verdict = {verdict: number for number, verdict in enumerate(sorted(set(verdicts)))}
    delays_s = seconds.astype(np.float32)
    return Columns(
        at_s=np.array(at_s, np.float64),
        place=np.array([of_place[place] for place in places], np.uint32),
        acknowledge_s=delays_s[:, 0],
        on_site_s=delays_s[:, 1],
        close_s=delays_s[:, 2],
        lasted_s=delays_s[:, 3],
        severity=np.array(severity, np.uint8),
        verdict=np.array([of_verdict[verdict] for verdict in verdicts], np.uint8),
        drill=np.array(drill, np.uint8),
        told=np.array(told, np.uint8),
        places=tuple(Place(*place) for place in of_place),
        verdicts=tuple(of_verdict),
        plates=tuple(plates),
        crowd_row=np.array([crowd.row for crowd in crowds], np.uint32),
        crowd_s=np.array([(crowd.known_s, *crowd.above_s) for crowd in crowds], np.float32).reshape(-1, _CROWD_WIDTH),
    )


def encode(columns: Columns) -> bytes:
    """Two lines of JSON, the places and the rest, then the arrays one after the other, little-endian."""
    places = json.dumps(columns.places, ensure_ascii=False, separators=(",", ":")).encode()
    head = {
        "count": len(columns),
        "verdicts": columns.verdicts,
        "plates": columns.plates,
        "crowds": len(columns.crowd_row),
    }
    parts = [places, b"\n", json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode(), b"\n"]
    parts += [np.ascontiguousarray(getattr(columns, name), dtype).tobytes() for name, dtype in _ARRAYS.items()]
    parts += [columns.crowd_row.astype("<u4").tobytes(), columns.crowd_s.astype("<f4").tobytes()]
    return b"".join(parts)


@lru_cache(maxsize=64)
def _places(line: bytes) -> tuple[Place, ...]:
    """Most days have the same."""
    return tuple(Place(*values) for values in json.loads(line))


def decode(body: bytes) -> Columns:
    """What `encode` made; the arrays lie in `body`."""
    first = body.index(b"\n")
    end = body.index(b"\n", first + 1)
    head: dict[str, Any] = json.loads(body[first:end])
    offset = end + 1
    arrays: dict[str, Any] = {}
    for name, dtype in _ARRAYS.items():
        arrays[name] = np.frombuffer(body, dtype, head["count"], offset)
        offset += head["count"] * dtype.itemsize
    crowds = head["crowds"]
    crowd_row = np.frombuffer(body, "<u4", crowds, offset)
    crowd_s = np.frombuffer(body, "<f4", crowds * _CROWD_WIDTH, offset + 4 * crowds)
    return Columns(
        **arrays,
        places=_places(body[:first]),
        verdicts=tuple(head["verdicts"]),
        plates=tuple((row, plate) for row, plate in head["plates"]),
        crowd_row=crowd_row,
        crowd_s=crowd_s.reshape(-1, _CROWD_WIDTH),
    )
