"""What `gatewatch train bullying` and `gatewatch evaluate bullying` measure, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.bullying import figures
from pipelines.bullying.clips import Clip, Moment, fingerprint
from pipelines.bullying.learning import NO_REGION as _NO_REGION
from pipelines.bullying.learning import HeldOut, Windows, opening_s, probabilities, values_of
from vision.aggression import Head
from vision.behaviours.possible_bullying import SENSITIVITY
from vision.detection import BoolArray
from vision.geometry import FloatArray

#: Clips are continued to this length, so that evidence that must last can.
JUDGED_S: Final = 6.0


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def of_scores(scores: FloatArray, windows: Windows, chosen: BoolArray) -> dict[str, Any]:
    """Measures of clips with their intervals over sources; `scores` (S, clips)."""
    truth, group = windows.is_fight[chosen], windows.group[chosen]
    if not truth.any() or truth.all():
        return {"clips": int(chosen.sum()), "note": "both labels are needed to measure"}
    measured = rounded(figures.averaged(scores[:, chosen], truth))
    ranges = figures.intervals(scores[:, chosen], truth, group)
    return {
        "clips": int(chosen.sum()),
        "fights": int(truth.sum()),
        "groups": len(np.unique(group)),
        **measured,
        "intervals_95": {name: [round(low, 4), round(high, 4)] for name, (low, high) in ranges.items()},
    }


def of_windows(scores: FloatArray, windows: Windows) -> dict[str, float]:
    """Accuracy and AUC of single windows, `scores` (S, windows)."""
    mine = ~windows.beyond
    truth = windows.is_fight[windows.clip[mine]]
    measured = figures.averaged(scores[:, mine], truth)
    return {"windows": float(mine.sum()), "accuracy": round(measured["accuracy"], 4), "auc": round(measured["auc"], 4)}


def of_incidents(scores: FloatArray, windows: Windows) -> dict[str, Any]:
    """For each sensitivity: the share of fights and of ordinary clips that become an incident within six seconds, by
    blows alone (clips continued to and fro; `scores` (S, windows)).
    """
    told: dict[str, Any] = {}
    for name, bounds in SENSITIVITY.items():
        hit = np.array(
            [
                [
                    opening_s(windows, row, clip, bounds.score, bounds.windows, bounds.of) is not None
                    for clip in range(len(windows.is_fight))
                ]
                for row in scores
            ]
        )
        fights, others = hit[:, windows.is_fight], hit[:, ~windows.is_fight]
        told[name] = {
            "fights": round(float(fights.mean()), 4) if fights.size else None,
            "ordinary": round(float(others.mean()), 4) if others.size else None,
        }
    return told


def of_ordinary_video(said: Sequence[Moment], scores: FloatArray, seconds: float) -> dict[str, Any]:
    """False incidents (by blows alone) on one long ordinary video, with the bound that its length allows."""
    windows = Windows.gather([Clip("video", Path(), False, "video")], [said])
    told: dict[str, Any] = {"distinct_hours": round(seconds / 3600, 4)}
    for name, bounds in SENSITIVITY.items():
        opens = opening_s(windows, scores, 0, bounds.score, bounds.windows, bounds.of)
        count = 0 if opens is None else 1  # at least: the first is enough to fail
        told[name] = {
            "false_incidents": count,
            "per_hour": round(count / seconds * 3600, 3),
            "bound_95_per_day": round(figures.poisson_bound_per_day(count, seconds), 1),
        }
    told["hours_without_any_for_a_bound_of_one_a_day"] = round(figures.seconds_for_bound(1.0) / 3600, 1)
    return told


def cross_validated(held_out: HeldOut, windows: Windows) -> dict[str, Any]:
    """The whole report of a cross-validation."""
    everything = np.ones(len(windows.is_fight), bool)
    truth = np.tile(windows.is_fight, len(held_out.clips))
    return {
        **of_scores(held_out.clips, windows, everything),
        "windows": of_windows(held_out.windows, windows),
        "incidents_within_6_s": of_incidents(held_out.windows, windows),
        "reliability": figures.reliability(held_out.clips.ravel(), truth),
    }


def judged(head: Head, clips: Sequence[Clip], windows: Windows) -> dict[str, Any]:
    """The report of a shipped head on a folder: clips that it was trained on are named, and left out of `unseen`."""
    values = values_of(head, windows.features) if len(windows.clip) else np.zeros(0)
    single = probabilities(head, values)[None]
    scores = probabilities(head, windows.of_clips(values, _NO_REGION))[None]
    learnt = set(head.trained_on)
    seen = np.array([fingerprint(clip.path) in learnt for clip in clips])
    report = {
        **of_scores(scores, windows, np.ones(len(clips), bool)),
        "trained_on_clips": int(seen.sum()),
        "unseen": of_scores(scores, windows, ~seen) if (~seen).any() else None,
        "windows": of_windows(single, windows) if len(windows.clip) else None,
        "incidents_within_6_s": of_incidents(single, windows),
        "reliability": figures.reliability(scores[0], windows.is_fight),
        "per_clip": [
            {
                "path": clip.name,
                "label": "fight" if clip.is_fight else "normal",
                "group": clip.group,
                "score": round(float(score), 4),
                "trained_on": bool(known),
            }
            for clip, score, known in zip(clips, scores[0], seen, strict=True)
        ],
    }
    if seen.any():
        report["note"] = f"the head was trained on {int(seen.sum())} of these clips: only `unseen` is an honest figure"
    return report
