"""Into the audit: that the configuration was changed, what in it, by whom and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelines.recording.index import Index
from pipelines.recording.journal import Journal

_KEY: Final = "configuration"
#: A line of the audit stays readable: so many keys, so much of each value.
_MOST: Final = 100
_LONGEST: Final = 200
_NOT_SAID: Final = "not said: `change.why` in the configuration is empty or as it was"


def note_configuration(
    index: Index, audit: Journal, values: Mapping[str, Any], *, version: str, owner: str, now_ms: int
) -> bool:
    """Compare `values` (the whole configuration without secrets, under its YAML names) with those known last; True when
    they differ, which then stands in the audit. `version` names it, as in every incident; `owner` is whose file it is,
    for when it does not say who changed it.

    The audit has it before the index knows it: a crash in between repeats a line, and never loses one. Raises Unavailable.
    """
    found = index.meta(_KEY)
    known: dict[str, Any] = {"version": None, "values": {}} if found is None else json.loads(found)
    before, after = known["values"], dict(_leaves(values, ""))
    if before == after:
        return False
    changed = {
        name: [_short(before.get(name)), _short(after.get(name))]
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name) and not name.startswith("change.")
    }
    said = values.get("change") or {}
    new = before.get("change.why") != after.get("change.why")
    data: dict[str, Any] = {"version": version, "before": known["version"]}
    if found is not None:
        data |= {"changed": dict(list(changed.items())[:_MOST]), "changes": len(changed)}
    audit.append(
        at_ms=now_ms,
        action="configuration",
        actor=said.get("who") or f"owner of the file: {owner}",
        reason=(said.get("why") if new else None) or _NOT_SAID,
        data=data,
    )
    index.set_meta(_KEY, json.dumps({"version": version, "values": after}, ensure_ascii=False, sort_keys=True))
    return True


def _leaves(values: Any, place: str) -> Iterator[tuple[str, Any]]:
    """`cameras.gate.main.url` -> value; lists are values."""
    if isinstance(values, Mapping) and values:
        for name, value in values.items():
            yield from _leaves(value, f"{place}.{name}" if place else str(name))
    else:
        yield place, values


def _short(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    return (
        value if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({hashlib.sha256(text.encode()).hexdigest()[:12]})"
    )
