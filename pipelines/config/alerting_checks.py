"""Checks of who is told what: names that do not exist, steps that come to nobody, channels that are not there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pipelines.config.alerting import SYSTEM_KINDS, Alerts, Storm
from pipelines.config.channels import PLAIN
from pipelines.config.document import Document
from pipelines.config.faults import Fault, Place, one_of
from pipelines.config.quantities import parse_seconds


def check(document: Document, values: dict[str, Any], kinds: Collection[str]) -> Iterator[Fault]:
    """Faults of `recipients`, `rosters`, `escalation` and `routes`. `kinds`: those that rules have."""
    people, rosters = _mapping(values.get("recipients")), _mapping(values.get("rosters"))
    chains = _mapping(values.get("escalation"))
    names = _Names(document)
    channels = _channels(_mapping(values.get("channels")))
    for name, person in people.items():
        yield from names.known(("recipients", name, "channels"), _mapping(person).get("channels"), channels, "channel")
    for name, shifts in rosters.items():
        if name in people:
            at: Place = ("rosters", name)
            yield Fault(document.key_line(at), at, "a recipient is called so too; choose another name")
        for number, shift in enumerate(_list(shifts)):
            place = ("rosters", name, number, "people")
            yield from names.known(place, _mapping(shift).get("people"), people, "recipient")
    for name, steps in chains.items():
        if steps == []:
            at = ("escalation", name)
            yield Fault(document.line(at), at, "a chain needs at least one step, such as {tell: [NAME]}")
        for number, step in enumerate(_list(steps)):
            told = {**people, **rosters}
            place = ("escalation", name, number, "tell")
            yield from names.known(place, _mapping(step).get("tell"), told, "recipient or roster")
    if not people:
        for key in ("rosters", "escalation", "routes"):
            if values.get(key):
                yield Fault(
                    document.key_line((key,)), (key,), "needs recipients: add recipients: {NAME: {channels: [...]}}"
                )
    yield from _routes(document, names, values, chains, kinds)
    yield from _digests(document, _mapping(values.get("alerts")))


def _digests(document: Document, alerts: dict[str, Any]) -> Iterator[Fault]:
    """What waits for its digest has reached nobody meanwhile, and must not be an alarm for that."""
    storm = alerts.get("storm", {})
    if storm is None:
        return
    try:
        gather_s = parse_seconds(_mapping(storm).get("gather", Storm().gather))
        within_s = parse_seconds(alerts.get("reach_within", Alerts().reach_within))
    except ValueError:
        return  # the schema says what is wrong with it
    if gather_s >= within_s:
        at: Place = ("alerts", "storm", "gather") if "gather" in _mapping(storm) else ("alerts", "reach_within")
        yield Fault(
            document.line(at),
            at,
            f"a digest gathers for {gather_s:g} s (alerts.storm.gather), but what reached nobody within {within_s:g} s "
            "(alerts.reach_within) is an alarm: gather for less",
        )


def _routes(
    document: Document, names: _Names, values: dict[str, Any], chains: dict[str, Any], kinds: Collection[str]
) -> Iterator[Fault]:
    cameras = _mapping(values.get("cameras"))
    zones = {zone for camera in cameras.values() for zone in _mapping(_mapping(camera).get("zones"))}
    for number, raw in enumerate(_list(values.get("routes"))):
        route, place = _mapping(raw), ("routes", number)
        yield from names.known((*place, "kinds"), route.get("kinds"), {*kinds, *SYSTEM_KINDS}, "kind")
        yield from names.known((*place, "cameras"), route.get("cameras"), cameras, "camera")
        yield from names.known((*place, "zones"), route.get("zones"), zones, "zone")
        chain, exempt = route.get("chain"), route.get("exempt")
        if chain is not None:
            yield from names.one((*place, "chain"), chain, chains, "chain")
        if isinstance(raw, dict) and (chain is None) == (exempt is None):
            yield Fault(document.line(place), place, "a route has a chain, or a reason to be exempt: one of the two")
        if isinstance(exempt, str) and not exempt.strip():
            at = (*place, "exempt")
            yield Fault(document.line(at), at, "the reason is empty", document.got(at))


class _Names:
    def __init__(self, document: Document) -> None:
        self._document = document

    def known(self, place: Place, names: Any, allowed: Collection[str], what: str) -> Iterator[Fault]:
        """Every item of a list must be one of `allowed`."""
        for number, name in enumerate(_list(names)):
            yield from self.one((*place, number), name, allowed, what)

    def one(self, place: Place, name: Any, allowed: Collection[str], what: str) -> Iterator[Fault]:
        if not isinstance(name, str) or name in allowed or place in self._document.unread:
            return
        near = one_of(allowed, None if place in self._document.expanded else name)
        yield Fault(self._document.line(place), place, f"unknown {what}", self._document.got(place), near)


def _channels(section: dict[str, Any]) -> list[str]:
    # The log is there unless it is switched off, as in the schema.
    there = {"log": section.get("log", True) is not False}
    there |= {name: section.get(name) is not None for name in PLAIN if name != "log"}
    return [*(name for name in PLAIN if there[name]), *_mapping(section.get("named"))]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
