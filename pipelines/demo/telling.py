"""The demo's lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.events.envelope import Event

_BOLD: Final = "1"
_COLOURS: Final = {"warned": "33", "opened": "31;1", "updated": "36", "closed": "32"}
_MARKS: Final = {"warned": "△", "opened": "●", "updated": "·", "closed": "○"}
_KINDS: Final = {
    "illegal_parking": "illegal parking",
    "crowding": "crowding",
    "possible_bullying": "possible bullying",
}
#: The evidence that a line shows, in this order, as far as it is there.
_SHOWN: Final = ("vehicle", "standing", "people", "peak_people", "density", "peak_density")


class Teller:
    """Makes lines; colours only where a terminal will show them."""

    def __init__(self, coloured: bool) -> None:
        self._coloured = coloured

    def heading(self, text: str) -> str:
        return self._painted(text, _BOLD)

    def incident(self, at_s: float, event: Event) -> str:
        """`00:31  ● opened   gate     illegal parking  no_parking   truck, standing 20 s`."""
        data = event.data
        phase = str(data["phase"])
        kind = _KINDS.get(data["kind"], data["kind"])
        what = self._painted(f"{_MARKS.get(phase, '·')} {phase:8}", _COLOURS.get(phase, "0"))
        reason = f"  ({data['close_reason']})" if data.get("close_reason") else ""
        return f"  {_clock(at_s)}  {what} {data['camera']:8} {kind:16} {data['zone']:20} {evidence(data['evidence'])}{reason}"

    def alert(self, at_s: float, message: Mapping[str, Any], delay_s: float) -> str:
        """`00:31  → alert to control_room, 0.21 s after the event`."""
        text = f"→ alert to {message['recipient']}, {delay_s:.2f} s after the picture was taken"
        return f"  {_clock(at_s)}    {self._painted(text, '2')}"

    def verdict(self, text: str, passed: bool) -> str:
        return self._painted(text, "32;1" if passed else "31;1")

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._coloured else text


def evidence(values: Mapping[str, Any]) -> str:
    """The few values that a person wants first: `truck, standing 20 s`, `11 people, peak 12 people`."""
    words: list[str] = []
    for name in _SHOWN:
        if name not in values:
            continue
        value, unit = values[name]["value"], values[name]["unit"]
        if isinstance(value, str):
            words.append(value)
        else:
            number = f"{value:.0f}" if float(value).is_integer() or unit == "s" else f"{value:.1f}"
            # What the unit says already is not said twice.
            said = " ".join(word for word in name.split("_") if word != unit)
            words.append(f"{said} {number} {unit}".strip())
    return ", ".join(words)


def _clock(at_s: float) -> str:
    return f"{int(at_s) // 60:02d}:{int(at_s) % 60:02d}"
