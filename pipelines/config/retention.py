"""Checks of `recording:` that need more than one key: names that do not exist, limits that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipelines.config.document import Document
from pipelines.config.faults import Fault, Place, one_of
from pipelines.config.quantities import QuantityError, parse_seconds

#: Jurisdiction profiles that need no definition; `pipelines.recording.policy` says what they mean.
BUILT_IN_PROFILES: Final = ("cn-799", "cn-counter-terror", "cn-kindergarten", "none")
#: Each must be at most the next one, where both are given at the same place.
_ORDER: Final = ("floor", "keep", "ceiling")


def check(document: Document, values: dict[str, Any]) -> Iterator[Fault]:
    """Faults of the site's `recording` and of each camera's."""
    site = _mapping(values.get("recording"))
    owners = _mapping(site.get("owners"))
    profiles = _mapping(site.get("profiles"))
    yield from _unknown(document, ("recording", "profile"), site, {*BUILT_IN_PROFILES, *profiles}, "profile")
    yield from _limits(document, ("recording",), site)
    for key, levels in (("owners", owners), ("profiles", profiles)):
        for name, level in levels.items():
            yield from _limits(document, ("recording", key, name), _mapping(level))
    for camera_id, camera in _mapping(values.get("cameras")).items():
        own = _mapping(_mapping(camera).get("recording"))
        place: Place = ("cameras", camera_id, "recording")
        yield from _unknown(document, (*place, "owner"), own, set(owners), "owner")
        yield from _limits(document, place, own)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _unknown(document: Document, place: Place, values: dict[str, Any], known: set[str], what: str) -> Iterator[Fault]:
    name = values.get(str(place[-1]))
    if isinstance(name, str) and name not in known and place not in document.unread:
        allowed = one_of(known, None if place in document.expanded else name)
        yield Fault(document.line(place), place, f"unknown {what}", document.got(place), allowed)


def _limits(document: Document, place: Place, values: dict[str, Any]) -> Iterator[Fault]:
    given = {key: seconds for key in _ORDER if (seconds := _seconds(values.get(key))) is not None}
    for shorter, longer in zip(given, list(given)[1:], strict=False):
        if given[shorter] > given[longer]:
            at = (*place, longer)
            message = f"{longer} must not be shorter than {shorter} ({document.got((*place, shorter))})"
            yield Fault(document.line(at), at, message, document.got(at))


def _seconds(value: Any) -> float | None:
    try:
        return None if value is None else parse_seconds(value)
    except QuantityError:
        return None
