"""What `gatewatch train bullying` and `gatewatch evaluate bullying` measure, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.bullying import figures
from pipelines.bullying.clips import Clip, Moment, fingerprint
from pipelines.bullying.learning import HeldOut, of_clips, openings_s
from pipelines.bullying.windows import Windows
from vision.aggression_head import Head
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


def of_incidents(scores: FloatArray, windows: Windows, seconds: FloatArray, chosen: BoolArray) -> dict[str, Any]:
    """For each sensitivity what becomes an incident by blows alone; `scores` (S, windows), `seconds` (clips,) their lengths,
    `chosen` (clips,) of which clips.

    `fights` and `ordinary_continued`: shares of the clips within six seconds, each continued to and fro. `ordinary`: the
    incidents on what the ordinary clips really show, on average of the S rows, with the bound that these distinct seconds
    allow for the worst of the rows.
    """
    fights = [int(i) for i in np.flatnonzero(windows.is_fight & chosen)]
    others = [int(i) for i in np.flatnonzero(~windows.is_fight & chosen)]
    distinct_s = float(seconds[others].sum())
    told: dict[str, Any] = {"ordinary_distinct_hours": round(distinct_s / 3600, 4)}
    for name, b in SENSITIVITY.items():
        hit = _share(scores, windows, fights, b.score, b.windows, b.of)
        again = _share(scores, windows, others, b.score, b.windows, b.of)
        counts = [
            sum(len(openings_s(windows, row, clip, b.score, b.windows, b.of, beyond=False)) for clip in others)
            for row in scores
        ]
        worst = max(counts, default=0)
        told[name] = {
            "fights": hit,
            "ordinary_continued": again,
            "ordinary_false_incidents": round(float(np.mean(counts)), 2) if counts else None,
            "ordinary_false_incidents_worst": worst,
            "bound_95_per_day": round(figures.poisson_bound_per_day(worst, distinct_s), 1) if distinct_s else None,
        }
    return told


def _share(
    scores: FloatArray, windows: Windows, clips: Sequence[int], threshold: float, needed: int, of: int
) -> float | None:
    hit = [[bool(openings_s(windows, row, clip, threshold, needed, of)) for clip in clips] for row in scores]
    return round(float(np.mean(hit)), 4) if len(clips) else None


def of_ordinary_video(said: Sequence[Moment], head: Head, seconds: float) -> dict[str, Any]:
    """False incidents (by blows alone) on one long ordinary video, with the bound that its length allows."""
    windows = Windows.gather([Clip("video", Path(), False, "video")], [said])
    scores = head.probabilities(head.values(windows.features)) if len(windows.clip) else np.zeros(0)
    told: dict[str, Any] = {
        "distinct_hours": round(seconds / 3600, 4),
        "highest_score": round(float(scores.max()), 4) if len(scores) else None,
    }
    for name, b in SENSITIVITY.items():
        # A region that fired once is told of once: it rests afterwards.
        count = len(openings_s(windows, scores, 0, b.score, b.windows, b.of))
        told[name] = {
            "false_incidents": count,
            "per_hour": round(count / seconds * 3600, 3),
            "bound_95_per_day": round(figures.poisson_bound_per_day(count, seconds), 1),
        }
    told["hours_without_any_for_a_bound_of_one_a_day"] = round(figures.seconds_for_bound(1.0) / 3600, 1)
    return told


def together(incidents: dict[str, Any], videos: dict[str, Any]) -> dict[str, Any]:
    """All distinct ordinary seconds that nothing was learnt from, clips and long videos, and the bound that they allow."""
    hours = incidents["ordinary_distinct_hours"] + sum(video["distinct_hours"] for video in videos.values())
    told: dict[str, Any] = {"distinct_hours": round(hours, 4)}
    for name in SENSITIVITY:
        count = incidents[name]["ordinary_false_incidents_worst"]
        count += sum(video[name]["false_incidents"] for video in videos.values())
        bound = round(figures.poisson_bound_per_day(count, hours * 3600), 1) if hours else None
        told[name] = {"false_incidents": count, "bound_95_per_day": bound}
    needed = figures.seconds_for_bound(1.0) / 3600
    told["more_hours_without_any_for_a_bound_of_one_a_day"] = round(max(0.0, needed - hours), 1)
    return told


def cross_validated(held_out: HeldOut, windows: Windows, seconds: FloatArray) -> dict[str, Any]:
    """The whole report of a cross-validation."""
    everything = np.ones(len(windows.is_fight), bool)
    truth = np.tile(windows.is_fight, len(held_out.clips))
    return {
        **of_scores(held_out.clips, windows, everything),
        "windows": of_windows(held_out.windows, windows),
        "incidents_within_6_s": of_incidents(held_out.windows, windows, seconds, everything),
        "reliability": figures.reliability(held_out.clips.ravel(), truth),
    }


def judged(head: Head, clips: Sequence[Clip], windows: Windows, seconds: FloatArray) -> dict[str, Any]:
    """The report of a shipped head on a folder: clips that it was trained on are named, and left out of `unseen`."""
    values = head.values(windows.features) if len(windows.clip) else np.zeros(0)
    single = head.probabilities(values)[None]
    scores = head.probabilities(of_clips(head, windows))[None]
    learnt = set(head.trained_on)
    seen = np.array([fingerprint(clip.path) in learnt for clip in clips])
    report = {
        **of_scores(scores, windows, np.ones(len(clips), bool)),
        "trained_on_clips": int(seen.sum()),
        "unseen": of_scores(scores, windows, ~seen) if (~seen).any() else None,
        "windows": of_windows(single, windows) if len(windows.clip) else None,
        "incidents_within_6_s": of_incidents(single, windows, seconds, seen | ~seen),
        "unseen_incidents_within_6_s": of_incidents(single, windows, seconds, ~seen),
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
