"""Faults of a camera as incidents: no signal, a frozen, dark, covered or blurred picture, a camera that was turned.

They follow from the same judgement by which the rules of the camera know what they may conclude (`vision.view`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from vision.behaviours.behaviour import Outcome
from vision.episodes import Episode, Hysteresis, Thresholds, incident_id
from vision.incident import Phase, PictureRequest, Quantity
from vision.view import View, ViewState

SIGNAL_LOST: Final = "signal_lost"
#: What the view is -> the kind of incident; severity as in `Incident`.
FAULTS: Final = MappingProxyType(
    {
        ViewState.FROZEN: "frozen",
        ViewState.DARK: "dark",
        ViewState.BLOCKED: "covered",
        ViewState.BLURRED: "blurred",
        ViewState.MOVED: "view_moved",
    }
)
KINDS: Final = (SIGNAL_LOST, *FAULTS.values())
_SEVERITY: Final = MappingProxyType({"dark": 3, "blurred": 3})
_SEVERITY_ELSE: Final = 2


@dataclass(frozen=True)
class Parameters:
    """`for_s`: how long a fault must last; `clear_s`: how long it must be over. `silent_s`: so long without a picture is a
    lost signal. `kinds`: those of `KINDS` that are told of.
    """

    for_s: float = 10.0
    clear_s: float = 5.0
    silent_s: float = 15.0
    kinds: frozenset[str] = frozenset(KINDS)


class CameraHealth:
    """The faults of one camera."""

    def __init__(self, camera_id: str, parameters: Parameters) -> None:
        self._camera_id = camera_id
        self._parameters = parameters
        self._watch = {kind: Hysteresis(self._thresholds(kind)) for kind in FAULTS.values()}
        self._is_well = False
        """Nothing is wrong and nothing was lately: another picture on which nothing is wrong changes nothing ..."""
        self._well_s: float | None = None
        """... but when the last one was, which each of those that watch is to know before it is asked anything."""
        self._episodes: dict[str, Episode] = {}
        self._number = 0

    def reconfigure(self, parameters: Parameters, time_s: float) -> Outcome:
        """Go on with other parameters: what is told of no longer is closed."""
        out = Outcome()
        self._catch_up()
        self._is_well = False
        self._parameters = parameters
        for kind, watch in self._watch.items():
            watch.thresholds = self._thresholds(kind)
        for kind in [kind for kind in self._episodes if kind not in parameters.kinds]:
            self._close(kind, time_s, time_s, "configuration", {}, out)
        return out

    def step(self, view: View, time_s: float) -> Outcome:
        """A picture came, and this is what it is worth."""
        out = Outcome()
        if SIGNAL_LOST in self._episodes:
            self._close(SIGNAL_LOST, time_s, time_s, "over", {}, out)
        now = FAULTS.get(view.state)
        if now is None and self._is_well:
            self._well_s = time_s
            return out
        self._catch_up()
        for kind, watch in self._watch.items():
            if kind not in self._parameters.kinds:
                continue
            event = watch.see(1.0 if kind == now else 0.0, time_s)
            if event == "begin":
                since_s = time_s if watch.above_since_s is None else watch.above_since_s
                self._open(kind, since_s, time_s, _evidence(view), out)
            elif event == "end" and kind in self._episodes:
                ended_s = time_s if watch.below_since_s is None else watch.below_since_s
                self._close(kind, time_s, ended_s, "over", _evidence(view), out)
        self._is_well = not any(watch.is_on or watch.above_since_s is not None for watch in self._watch.values())
        return out

    def _catch_up(self) -> None:
        if self._well_s is not None:
            for kind, watch in self._watch.items():
                if kind in self._parameters.kinds:
                    watch.last_s = self._well_s
            self._well_s = None

    def silent(self, since_s: float, time_s: float) -> Outcome:
        """No picture has come since `since_s`; both on the clock that pictures are stamped by."""
        out = Outcome()
        p = self._parameters
        if SIGNAL_LOST in p.kinds and SIGNAL_LOST not in self._episodes and time_s - since_s >= p.silent_s:
            self._open(SIGNAL_LOST, since_s, time_s, {}, out)
        return out

    def close(self, time_s: float, reason: str) -> Outcome:
        out = Outcome()
        for kind in list(self._episodes):
            self._close(kind, time_s, time_s, reason, {}, out)
        return out

    def cases(self) -> frozenset[str]:
        return frozenset(episode.incident_id for episode in self._episodes.values())

    def _thresholds(self, kind: str) -> Thresholds:
        # A frozen picture is one that has not changed for long: that was the waiting.
        for_s = 0.0 if kind == FAULTS[ViewState.FROZEN] else self._parameters.for_s
        return Thresholds(for_s=for_s, hold_s=self._parameters.clear_s)

    def _open(self, kind: str, since_s: float, time_s: float, evidence: dict[str, Quantity], out: Outcome) -> None:
        number, self._number = self._number, self._number + 1
        episode = Episode(
            incident_id(self._camera_id, kind, since_s, number),
            self._camera_id,
            kind,
            kind,
            "",
            since_s,
            _SEVERITY.get(kind, _SEVERITY_ELSE),
            1.0,
        )
        self._episodes[kind] = episode
        self._tell(episode, Phase.OPENED, time_s, evidence, out)
        if kind != SIGNAL_LOST:
            out.pictures.append(PictureRequest(episode.incident_id, kind, "", "first_seen", time_s, None))

    def _close(
        self, kind: str, time_s: float, ended_s: float, reason: str, evidence: dict[str, Quantity], out: Outcome
    ) -> None:
        episode = self._episodes.pop(kind)
        # Silence is told on the clock of now: pictures, and who takes the camera away, may speak of a moment before it.
        opened_s = ended_s if episode.opened_s is None else episode.opened_s
        self._tell(episode, Phase.CLOSED, max(time_s, opened_s), evidence, out, reason, max(ended_s, opened_s))

    def _tell(
        self,
        episode: Episode,
        phase: Phase,
        time_s: float,
        evidence: dict[str, Quantity],
        out: Outcome,
        reason: str | None = None,
        ended_s: float | None = None,
    ) -> None:
        out.changed = True
        lasted_s = (time_s if ended_s is None else ended_s) - episode.first_seen_s
        out.incidents.append(
            episode.tell(
                phase,
                time_s,
                box_norm=None,
                track_ids=(),
                evidence={"lasted": Quantity(round(max(0.0, lasted_s), 1), "s"), **evidence},
                close_reason=reason,
                ended_s=ended_s,
            )
        )

    def snapshot(self) -> dict[str, Any]:
        self._catch_up()
        return {
            "watch": {kind: watch.snapshot() for kind, watch in self._watch.items()},
            "episodes": {kind: episode.snapshot() for kind, episode in self._episodes.items()},
            "number": self._number,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._is_well, self._well_s = False, None
        for kind, saved in state["watch"].items():
            if kind in self._watch:
                self._watch[kind] = Hysteresis.from_snapshot(self._thresholds(kind), saved)
        self._episodes = {kind: Episode.from_snapshot(saved) for kind, saved in state["episodes"].items()}
        self._number = state["number"]


def _evidence(view: View) -> dict[str, Quantity]:
    evidence = {
        "luminance": Quantity(round(view.luminance, 1), "grey levels"),
        "contrast": Quantity(round(view.contrast, 1), "grey levels"),
    }
    if view.sharpness is not None:
        evidence["sharpness"] = Quantity(round(view.sharpness, 3), "0..1")
    if view.shift is not None:
        evidence["view_shift"] = Quantity(round(100 * view.shift, 1), "% of the width")
    return evidence
