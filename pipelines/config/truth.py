"""A truth file: what really happened in a piece of footage, as somebody wrote it down. `docs/samples.md` has the format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, ValidationError

from pipelines.config.cameras import GroundPoint, PicturePoint, Rule, Section, ZoneModel, ZoneName
from pipelines.config.checks import camera_faults
from pipelines.config.document import Document, parse
from pipelines.config.explain import explain
from pipelines.config.faults import Fault, Place, one_of
from pipelines.config.loader import read_text
from pipelines.errors import BadInput

ENDINGS: Final = (".truth.json", ".truth.yaml")
FromFirst = Annotated[float, Field(ge=0)]
Kind = Literal[
    "illegal_parking",
    "crowding",
    "possible_bullying",
    "frozen",
    "dark",
    "covered",
    "blurred",
    "view_moved",
    "signal_lost",
]


class TrueIncident(Section):
    """What must be raised, in seconds from the first picture; `closes_s` null: it is still open at the end."""

    kind: Kind
    zone: str = ""
    opens_s: FromFirst
    closes_s: FromFirst | None
    subject: str = ""
    box_px: list[float] | None = None
    stands_from_s: FromFirst | None = None


class Truth(Section):
    """The file. `zones`, `masks`, `ground`, `rules` are as under a camera in the configuration."""

    incidents: list[TrueIncident]
    video: str | None = None
    camera: str | None = None
    starts: AwareDatetime | None = None
    zones: dict[ZoneName, ZoneModel] = Field(default={})
    masks: list[Annotated[list[PicturePoint], Field(min_length=3)]] = Field(default=[])
    ground: list[GroundPoint] = Field(default=[])
    rules: list[Rule] | None = None
    clip: str | None = None
    what: str = ""
    fps: float | None = None
    duration_s: float | None = None
    size_px: list[int] | None = None
    people: list[int] | None = None
    people_in_zone: dict[str, list[int]] | None = None

    @property
    def start_s(self) -> float | None:
        """When the first picture was taken, seconds since 1970 UTC, if the file says so."""
        starts: datetime | None = self.starts
        return None if starts is None else starts.timestamp()


class TruthFile:
    """A truth with the file that it stands in: what is found out later is told with file, line and key as well."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput: every fault of the file, as `file:line: key: message`."""
        self.path = path
        self._document = parse(read_text(path), {})
        truth, faults = _read(self._document)
        if faults or truth is None:
            ordered = sorted(faults, key=lambda fault: (fault.line, fault.message))
            raise BadInput("\n".join(dict.fromkeys(fault.text(str(path)) for fault in ordered)))
        self.truth = truth

    def fault(self, place: Place, message: str) -> BadInput:
        """What is wrong at `place`, to be raised."""
        return BadInput(Fault(self._document.line(place), place, message).text(str(self.path)))


def _read(document: Document) -> tuple[Truth | None, list[Fault]]:
    faults = list(document.faults)
    values = document.values
    if not isinstance(values, dict):
        return None, faults or [Fault(1, (), "expected keys with values, among them incidents")]
    truth: Truth | None = None
    try:
        # JSON mode, as for a configuration: true is no number, "5" is no 5.
        truth = Truth.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        faults += explain(error, document, Truth)
    if truth is not None:
        faults += _impossible(truth, document)
    if values.get("rules") is not None:
        faults += camera_faults(document, (), values)
    return truth, faults


def _impossible(truth: Truth, document: Document) -> Iterator[Fault]:
    """Times and zones that cannot be."""

    def fault(place: Place, message: str, allowed: str | None = None) -> Fault:
        return Fault(document.line(place), place, message, document.got(place), allowed)

    watched = {rule.zone for rule in truth.rules or ()}
    for number, incident in enumerate(truth.incidents):
        at: Place = ("incidents", number)
        if incident.closes_s is not None and incident.closes_s <= incident.opens_s:
            yield fault((*at, "closes_s"), "it closes before it opens", f"more than {incident.opens_s:g}, or null")
        if truth.duration_s is not None and incident.opens_s > truth.duration_s:
            yield fault((*at, "opens_s"), "after the end of the footage", f"at most {truth.duration_s:g}")
        by_rule = incident.kind in ("illegal_parking", "crowding", "possible_bullying")
        if truth.rules is not None and by_rule and incident.zone not in watched:
            yield fault((*at, "zone"), "no rule watches this zone", one_of(watched, incident.zone))
    if truth.rules is None and truth.zones:
        yield Fault(document.key_line(("zones",)), ("zones",), "zones mean nothing without rules")
    if truth.rules is not None:
        kinds = [(rule.kind, rule.zone) for rule in truth.rules]
        for number, one in enumerate(kinds):
            if one in kinds[:number]:
                message = f"two rules of {one[0]} on zone {one[1]}: which of them an incident is of cannot be told"
                yield Fault(document.line(("rules", number)), ("rules", number), message)
