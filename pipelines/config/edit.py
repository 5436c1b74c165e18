"""Changes to a configuration file: another value here, a key less there, and the rest as the administrator wrote it.

First in pieces (`splice`); where the text is written so that this cannot be done, through ruamel's round trip, which keeps
comments and order but may lay lines out anew. Either way the result is read again: it must say what was wanted, and nothing
else may have changed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ruamel.yaml.error import YAMLError

from pipelines.config import splice
from pipelines.config.document import Document, parse
from pipelines.config.faults import Place, dotted
from pipelines.config.fragments import in_one_line, round_trip
from pipelines.errors import BadInput

_ROUNDS: Final = 200
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Put:
    """`value` (plain: dict, list, text, number) at `place`; keys on the way to it are made where they are missing."""

    place: Place
    value: Any


@dataclass(frozen=True, slots=True)
class Drop:
    """The key or item at `place` goes."""

    place: Place


@dataclass(frozen=True, slots=True)
class Rename:
    """The key at the end of `place` is called `name` from now on, and stays where it stands."""

    place: Place
    name: str


Change: TypeAlias = Put | Drop | Rename


def edit(text: str, changes: Iterable[Change], environ: Mapping[str, str], document: Document | None = None) -> str:
    """`text` with the changes, one after the other; a place is that after the changes before it. `document`: `text` as read
    already, which saves reading it again.

    Raises:
        BadInput: the text cannot be read, or a change cannot be made in it; the message names the line.
    """
    bom = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    puts: list[Put] = []
    for change in changes:
        if isinstance(change, Put):
            puts.append(change)
            continue
        for some in (puts, [change]):
            text, document = _changed(text, some, environ, document)
        puts = []
    return bom + _changed(text, puts, environ, document)[0]


def _changed(
    text: str, changes: Sequence[Change], environ: Mapping[str, str], known: Document | None
) -> tuple[str, Document | None]:
    """The text, and what it reads as (None: not known)."""
    if not changes:
        return text, known
    document = known if known is not None and isinstance(known.values, dict) else _read(text, environ)
    wanted = copy.deepcopy(document.values)
    for change in changes:
        _apply(wanted, change)
    if _same(wanted, document.values):
        return text, document
    try:
        return _in_pieces(text, changes, document.values, wanted, environ)
    except splice.Hard:
        pass

    def change_all(values: Any) -> None:
        for change in changes:
            _apply(values, change)

    try:
        whole = round_trip(text, change_all, splice.compose(text))
    except (YAMLError, splice.Hard, KeyError, TypeError, IndexError) as error:
        raise _cannot(document, changes[0]) from error
    again = _read(whole, environ)
    if not _same(again.values, wanted):
        raise _cannot(document, changes[0])
    return whole, again


def _in_pieces(
    text: str, changes: Sequence[Change], old: Any, wanted: Any, environ: Mapping[str, str]
) -> tuple[str, Document]:
    """Raises Hard: it does not come to what is wanted."""
    first = changes[0]
    for number in range(_ROUNDS):
        root = splice.compose(text)
        if number == 0 and isinstance(first, Rename):
            splices = splice.rename(text, root, first.place, first.name)
        elif number == 0 and isinstance(first, Drop):
            splices = splice.drop(text, root, first.place)
        else:
            splices = splice.changes(text, root, old, wanted)
        if not splices:
            break
        text = splice.put_in(text, splices)
        again = parse(_plain(text), environ)
        if any(not fault.place for fault in again.faults):
            raise splice.Hard  # not YAML any more
        if _same(again.values, wanted):
            return text, again
        old = again.values
    raise splice.Hard


def _same(one: Any, other: Any) -> bool:
    """Equal; a renamed key stands where the old one stood, so order is not asked for."""
    return bool(one == other)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")


def _read(text: str, environ: Mapping[str, str]) -> Document:
    document = parse(_plain(text), environ)
    if not isinstance(document.values, dict):
        fault = document.faults[0] if document.faults else None
        where = f"line {fault.line}: {fault.message}" if fault is not None else "it is empty"
        raise BadInput(f"the configuration cannot be edited as it is: {where}")
    return document


def _cannot(document: Document, change: Change) -> BadInput:
    line = document.line(change.place)
    return BadInput(
        f"line {line}: {dotted(change.place)} is written in a way that only a person can change (an alias, a merge, or text"
        " over several lines): change it in the file"
    )


def _ready(around: Any, value: Any) -> Any:
    return copy.deepcopy(value) if type(around) in (dict, list) else in_one_line(value)


def _apply(values: Any, change: Change) -> None:
    """On plain values and on ruamel's alike. Raises KeyError, IndexError, TypeError: there is no such place."""
    *way, last = change.place
    if isinstance(change, Put):
        for step, following in zip(way, [*way[1:], last], strict=True):
            if isinstance(values, dict) and values.get(step) is None:
                values[step] = _ready(values, [] if isinstance(following, int) else {})
            values = values[step]
        if isinstance(values, list) and last == len(values):
            values.append(_ready(values, change.value))
        else:
            values[last] = _ready(values, change.value)
        return
    for step in way:
        values = values[step]
    if isinstance(change, Drop):
        del values[last]
        return
    entries = [(change.name if key == last else key, value) for key, value in values.items()]
    values.clear()
    values.update(entries)
