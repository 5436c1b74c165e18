"""Were the incidents of the truth raised, each once, in time, and no others? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vision.evaluation.incidents import Happening, score_incidents

#: A live camera's first picture is not the file's first one, and an incident is told a moment after it opens.
TOLERANCE_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`expected` incidents of the truth were due; `faults` says in words what went otherwise."""

    expected: int
    matched: int
    largest_delay_s: float
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.faults


def expected_within(truth: Mapping[str, Any], seconds: float) -> list[Happening]:
    """What a clip's truth says of its first `seconds`, the clip looping when they are longer than it is."""
    duration_s = float(truth["duration_s"])
    found: list[Happening] = []
    for incident in truth["incidents"]:
        loop_s = 0.0
        while incident["opens_s"] + loop_s < seconds:
            closes_s = incident["closes_s"]
            closed_s = None if closes_s is None or closes_s + loop_s >= seconds else closes_s + loop_s
            found.append(Happening(incident["kind"], incident["zone"], incident["opens_s"] + loop_s, closed_s))
            if closes_s is None:
                break  # it lasts over the loop
            loop_s += duration_s
    return found


def judge(expected: Sequence[Happening], raised: Sequence[Happening], seconds: float) -> Verdict:
    """Hold what one camera raised in its first `seconds` against the truth.

    What opens or closes within TOLERANCE_S of the end may be there or not.
    """
    edge_s = seconds - TOLERANCE_S
    due = [one for one in expected if one.opened_s <= edge_s]
    optional = [one for one in expected if one.opened_s > edge_s]
    score = score_incidents([*due, *optional], raised, seconds, TOLERANCE_S)
    faults: list[str] = []
    for one in due:
        alone = score_incidents([one], raised, seconds, TOLERANCE_S)
        if not alone.matched:
            faults.append(f"{one.kind} in {one.zone}, due at {one.opened_s:.0f} s, was not raised")
            continue
        faults += [
            f"{one.kind} in {one.zone} opened {delay:+.1f} s from its truth"
            for delay in alone.opening_delays_s
            if abs(delay) > TOLERANCE_S and _only(one, expected)
        ]
        if one.closed_s is not None and one.closed_s <= edge_s and not alone.closing_delays_s:
            faults.append(f"{one.kind} in {one.zone}, over at {one.closed_s:.0f} s, was not closed")
    if score.duplicates:
        faults.append(f"{score.duplicates} raised twice")
    if score.false_alarms:
        faults.append(f"{score.false_alarms} raised that the truth does not have")
    delays = [abs(delay) for delay in (*score.opening_delays_s, *score.closing_delays_s)]
    return Verdict(len(due), sum(1 for _ in score.opening_delays_s), max(delays, default=0.0), tuple(faults))


def _only(one: Happening, expected: Sequence[Happening]) -> bool:
    """Two of a kind in one zone may be matched crosswise: then their delays say nothing."""
    return sum((other.kind, other.zone) == (one.kind, one.zone) for other in expected) == 1
