"""What a message says to people: a title, one line and a body, made of what happened and of why it is sent."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pipelines.alerting.facts import Facts, Manner, facts_of
from pipelines.alerting.templating import Engine, Letterhead, TemplateFault
from pipelines.alerting.vocabulary import duration, words_for
from pipelines.logs import fields
from pipelines.wording import word

_log = logging.getLogger(__name__)

#: Why a message is sent. `escalated`: somebody before did not answer; `digest`: a storm in one message; `unreached`: an
#: alert reached nobody.
Why = Literal["opened", "worse", "closed", "warned", "escalated", "digest", "unreached", "test"]
Part = Literal["title", "line", "body"]

_SHIPPED: Final = Path(__file__).parent / "templates"
_POSSIBLE: Final = "possible_bullying"
#: One line each; longer ones are cut.
_LONGEST: Final[Mapping[Part, int]] = {"title": 200, "line": 1000, "body": 20_000}
#: Incidents that a digest lists by name.
_LISTED: Final = 50


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words. `title` and `line` are one line each, `body` several."""

    title: str
    line: str
    body: str


def why_of(purpose: str, event: Mapping[str, Any], *, first: bool) -> Why:
    """Why an event is told to somebody.

    A type `alert.WHY` says it itself, so does a purpose that is one. Else: `first` tells what is new, later messages
    that it got worse or is over.
    """
    own = str(event["type"]).removeprefix("alert.")
    for name in (own, purpose):
        if name in ("escalated", "digest", "unreached", "test"):
            return name  # type: ignore[return-value]
    phase = event["data"].get("phase")
    if phase in ("warned", "closed"):
        return "warned" if phase == "warned" else "closed"
    return "opened" if first else "worse"


class Letters:
    """The templates of one site. `folder` holds those that replace the shipped ones, as LANGUAGE/PART.txt."""

    def __init__(self, manner: Manner, folder: Path | None = None) -> None:
        """Raises TemplateFault: a template of `folder` cannot be used."""
        self.manner = manner
        engine, ours = Engine(), Engine(ours=True)
        self._shipped = {part: ours.compile(_SHIPPED / manner.language / f"{part}.txt") for part in get_args(Part)}
        self._own: dict[Part, Letterhead] = {}
        if folder is not None:
            if not folder.is_dir():
                raise TemplateFault(f"{folder}: there is no such folder")
            for part in get_args(Part):
                path = folder / manner.language / f"{part}.txt"
                if path.exists():
                    self._own[part] = engine.compile(path)

    @property
    def replaced(self) -> tuple[str, ...]:
        """The parts that the site says in its own words."""
        return tuple(self._own)

    def compose(self, why: Why, event: Mapping[str, Any], recipient: str = "") -> Text:
        """The words for one message.

        A digest's event has `data.incidents` (a list of the events' envelopes, the first 50 are listed), `data.count` and
        `data.kinds` (how many of each kind). `data.details` may hold `unanswered_by` (names), `waited_s` and `window_s`.
        A template of the site's own that fails at this event raises nothing: the shipped one speaks, and the log says so.
        """
        values = self.values(why, event, recipient)
        return Text(**{part: self._render(part, values) for part in get_args(Part)})

    def values(self, why: Why, event: Mapping[str, Any], recipient: str = "") -> dict[str, Any]:
        """What templates see; docs/channels.md lists it."""
        language = self.manner.language
        data = event["data"]
        told = data.get("incidents") if why == "digest" else None
        events: Sequence[Mapping[str, Any]] = told if isinstance(told, list) else [event]
        incidents = [facts_of(one, self.manner) for one in events[:_LISTED]]
        incident = incidents[0] if incidents else facts_of(event, self.manner)
        counted = Counter(data.get("kinds") or (str(one["data"]["kind"]) for one in events))
        kinds = [(word(language, f"kind.{kind}"), number) for kind, number in counted.most_common()]
        details = dict(data.get("details") or {})
        for name in ("waited", "window"):
            seconds = details.get(f"{name}_s")
            details[name] = duration(language, seconds) if isinstance(seconds, int | float) else ""
        details.setdefault("unanswered_by", [])
        gap = "" if language == "zh-CN" else " "
        return {
            "why": why,
            "why_name": words_for(language, f"why.{why}") or why,
            "site": self.manner.site,
            "recipient": recipient,
            "incident": incident,
            "incidents": incidents,
            "count": max(int(data.get("count") or 0), len(events)),
            "kinds": [f"{kind} × {number}" if number > 1 else kind for kind, number in kinds],
            "place": " / ".join(part for part in (incident.camera_name, incident.zone) if part) or self.manner.site,
            "evidence": [f"{one.label}{gap}{one.text}" for one in incident.evidence],
            "details": details,
            "event": event,
        }

    def try_all(self, samples: Sequence[tuple[Why, Mapping[str, Any]]]) -> None:
        """Say every sample in the site's own words. Raises TemplateFault for the first that cannot be said."""
        for why, event in samples:
            values = self.values(why, event)
            for letterhead in self._own.values():
                if not letterhead.render(values).strip():
                    raise TemplateFault(f"{letterhead.name}:1: says nothing for {why} ({event['data']['kind']})")

    def _render(self, part: Part, values: Mapping[str, Any]) -> str:
        text = ""
        if part in self._own:
            try:
                text = self._own[part].render(values)
            except TemplateFault as error:
                _log.error("a template failed, the shipped one is used", extra=fields(reason=str(error)))
        text = _tidy(part, text or self._shipped[part].render(values))
        return text if values["why"] in ("digest", "test") else self._possible(text, values["incident"])

    def _possible(self, text: str, incident: Facts) -> str:
        """Whatever a template says, possible bullying is told as possible."""
        if incident.kind != _POSSIBLE:
            return text
        said = "疑似" if self.manner.language == "zh-CN" else "possible"
        return text if said in text.lower() else f"{word(self.manner.language, f'kind.{_POSSIBLE}')}: {text}"


def _tidy(part: Part, text: str) -> str:
    lines = [_printable(line).rstrip() for line in text.strip().splitlines()]
    joined = "\n".join(lines) if part == "body" else " ".join(line for line in lines if line)
    return joined if len(joined) <= _LONGEST[part] else joined[: _LONGEST[part] - 1] + "…"


def _printable(line: str) -> str:
    return line if line.isprintable() else "".join(char for char in line if char.isprintable())
