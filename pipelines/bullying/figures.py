"""How good scores are, with intervals over sources, and a picture of their calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vision.detection import BoolArray
from vision.evaluation.poisson import SECONDS_PER_DAY, rate_bound
from vision.geometry import FloatArray

_DRAWS: Final = 1000
FALSE_ALARMS: Final = (0.01, 0.05, 0.10)


def auc(score: FloatArray, truth: BoolArray) -> float:
    """Area under the ROC curve: how often a fight scores above an ordinary scene, ties half (Mann-Whitney)."""
    from scipy.stats import rankdata

    fights, others = int(truth.sum()), int((~truth).sum())
    if not fights or not others:
        return float("nan")
    return float((rankdata(score)[truth].sum() - fights * (fights + 1) / 2) / (fights * others))


def recall_at(score: FloatArray, truth: BoolArray, false_alarms: float) -> float:
    """The share of fights above the threshold that at most this share of ordinary scenes reaches."""
    others = np.sort(score[~truth])[::-1]
    if not len(others) or not truth.any():
        return float("nan")
    allowed = int(np.floor(false_alarms * len(others)))
    threshold = others[allowed] if allowed < len(others) else -np.inf
    return float(np.mean(score[truth] > threshold))


def measures(score: FloatArray, truth: BoolArray) -> dict[str, float]:
    """Accuracy, recall and precision at 0.5, AUC, Brier score, recall at fixed false alarms."""
    called = score >= 0.5
    hits = int((called & truth).sum())
    return {
        "accuracy": float(np.mean(called == truth)),
        "recall": hits / max(1, int(truth.sum())),
        "precision": hits / max(1, int(called.sum())),
        "auc": auc(score, truth),
        "brier": float(np.mean((score - truth) ** 2)),
        **{f"recall_at_{round(100 * f)}_percent_false_alarms": recall_at(score, truth, f) for f in FALSE_ALARMS},
    }


def intervals(
    scores: npt.ArrayLike, truth: BoolArray, group: npt.NDArray[np.str_], draws: int = _DRAWS
) -> dict[str, tuple[float, float]]:
    """95 % intervals of `measures` over sources: sources are drawn with replacement (seed 0); `scores` (S, N) has a row
    for each seed, whose measures are averaged.
    """
    rows = np.atleast_2d(np.asarray(scores, np.float64))
    rng = np.random.default_rng(0)
    names = np.unique(group)
    members = {name: np.flatnonzero(group == name) for name in names}
    drawn: dict[str, list[float]] = {}
    for _ in range(draws):
        chosen = np.concatenate([members[name] for name in rng.choice(names, len(names))])
        if truth[chosen].all() or not truth[chosen].any():
            continue
        for name, value in averaged(rows[:, chosen], truth[chosen]).items():
            drawn.setdefault(name, []).append(value)
    return {n: (float(np.quantile(v, 0.025)), float(np.quantile(v, 0.975))) for n, v in drawn.items()}


def averaged(scores: npt.ArrayLike, truth: BoolArray) -> dict[str, float]:
    """`measures` averaged over the rows of `scores` (S, N)."""
    each = [measures(row, truth) for row in np.atleast_2d(np.asarray(scores, np.float64))]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def reliability(score: FloatArray, truth: BoolArray, bins: int = 10) -> list[dict[str, Any]]:
    """For each tenth of the scale that holds a score: how many, the mean score, the share that were fights."""
    index = np.minimum((score * bins).astype(int), bins - 1)
    return [
        {
            "from": b / bins,
            "to": (b + 1) / bins,
            "count": int((index == b).sum()),
            "mean_score": round(float(score[index == b].mean()), 4),
            "share_of_fights": round(float(truth[index == b].mean()), 4),
        }
        for b in range(bins)
        if (index == b).any()
    ]


def reliability_svg(rows: Sequence[dict[str, Any]], title: str) -> str:
    """The reliability diagram as an SVG picture: on the line, a score of 0.7 means 0.7."""
    left, top, size = 56, 36, 320
    x: Callable[[float], float] = lambda v: left + v * size  # noqa: E731
    y: Callable[[float], float] = lambda v: top + (1 - v) * size  # noqa: E731
    most = max((row["count"] for row in rows), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + size + 24}" height="{top + size + 56}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="20" font-size="13">{title}</text>',
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#888" stroke-dasharray="4 4"/>',
    ]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts += [
            f'<line x1="{x(tick)}" y1="{y(0)}" x2="{x(tick)}" y2="{y(1)}" stroke="#eee"/>',
            f'<line x1="{x(0)}" y1="{y(tick)}" x2="{x(1)}" y2="{y(tick)}" stroke="#eee"/>',
            f'<text x="{x(tick)}" y="{y(0) + 16}" text-anchor="middle">{tick:g}</text>',
            f'<text x="{x(0) - 8}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>',
        ]
    parts += [
        f'<circle cx="{x(row["mean_score"]):.1f}" cy="{y(row["share_of_fights"]):.1f}" '
        f'r="{3 + 9 * (row["count"] / most) ** 0.5:.1f}" fill="#1f5fa8" fill-opacity="0.7">'
        f"<title>{row['count']} clips</title></circle>"
        for row in rows
    ]
    parts += [
        f'<text x="{x(0.5)}" y="{y(0) + 36}" text-anchor="middle">score</text>',
        f'<text transform="translate(16 {y(0.5)}) rotate(-90)" text-anchor="middle">share that were fights</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def poisson_bound_per_day(false_alarms: int, seconds: float) -> float:
    """The 95 % upper bound (one-sided) on false alarms per day of 24 h, given how many came in so many distinct seconds."""
    bound = rate_bound(false_alarms, seconds / SECONDS_PER_DAY)
    return float("inf") if bound is None else bound


def seconds_for_bound(bound_per_day: float) -> float:
    """How many seconds without any false alarm would bound them by this many a day (95 %)."""
    return float(-np.log(0.05) / bound_per_day * SECONDS_PER_DAY)
