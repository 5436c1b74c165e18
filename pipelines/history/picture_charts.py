"""The pictures of `pipelines.history.pictures`, each drawn on one pair of axes.

Colours are Okabe and Ito's, told apart by people who see few of them, and each is named by a legend; shades go from light to
dark in grey, too (cividis).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from pipelines.wording import Language, word

_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7F7F7F")
_DARK: Final = "#333333"
_MOST_ROWS: Final = 20
_MOST_DAYS: Final = 190
#: Ticks of a time, seconds.
_TICKS_S: Final = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600, 86_400, 7 * 86_400)


class Sheet(NamedTuple):
    """What a picture is drawn from, and how it speaks."""

    axes: Any
    figures: dict[str, Any]
    words: dict[str, str]
    language: Language

    def kind(self, name: str) -> str:
        return word(self.language, f"kind.{name}")

    def colours(self) -> dict[str, str]:
        """Of each kind, the same in all pictures."""
        kinds = sorted(self.figures["by_kind"])
        return {kind: _COLOURS[number % len(_COLOURS)] for number, kind in enumerate(kinds)}

    def lasted(self, time_s: float) -> str:
        """About how long, in the largest unit that fits."""
        for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60)):
            if time_s >= length_s:
                return self.words[unit].format(n=f"{time_s / length_s:.1f}".removesuffix(".0"))
        return self.words["s"].format(n=f"{time_s:.0f}")


def head(sheet: Sheet, name: str) -> None:
    """What it shows, of which time."""
    figures, words = sheet.figures, sheet.words
    if not sheet.axes.get_title(loc="left"):
        sheet.axes.set_title(words[name])
    span = words["span"].format(first=figures["first_day"], last=figures["last_day"], count=figures["incidents"])
    axes = sheet.axes
    axes.text(0, 1.02, span, transform=axes.transAxes, fontsize=9, color="#666666", va="bottom", ha="left")


def _rows_of(sheet: Sheet, titles: list[str]) -> range:
    """A row for each title, from the top; the picture is as high as they need."""
    axes = sheet.axes
    axes.figure.set_size_inches(10, 1.7 + 0.3 * max(3, len(titles)))
    places = range(len(titles))
    axes.set_yticks(places, titles)
    axes.set_ylim(len(titles) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return places


def _legend(axes: Any) -> None:
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)


def _whole_numbers(axis: Any) -> None:
    axis.get_major_locator().set_params(integer=True, nbins=8)


def _when(sheet: Sheet) -> bool:
    axes, words = sheet.axes, sheet.words
    week = np.array(sheet.figures["by_hour_and_weekday"], float)
    shown = axes.imshow(np.where(week > 0, week, np.nan), aspect="auto", cmap="cividis_r", vmin=0, vmax=week.max())
    axes.set_yticks(range(7), words["weekdays"].split())
    axes.set_xticks(range(24))
    axes.set_xticks(np.arange(-0.5, 24), minor=True)
    axes.set_yticks(np.arange(-0.5, 7), minor=True)
    axes.grid(which="minor", color="#ffffff", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for day, hours in enumerate(week):
        for hour, count in enumerate(hours):
            if count:
                dark = count > 0.42 * week.max()
                text = f"{count:.0f}" if count < 10_000 else f"{count / 1000:.0f}k"
                axes.text(
                    hour, day, text, ha="center", va="center", fontsize=7.5, color="#ffffff" if dark else "#111111"
                )
    axes.set_xlabel(words["hour"].format(timezone=sheet.figures["timezone"]))
    axes.figure.colorbar(shown, ax=axes, label=words["incidents"], pad=0.01)
    return True


def _days(sheet: Sheet) -> bool:
    axes, figures = sheet.axes, sheet.figures
    days = [date.fromisoformat(day) for day in figures["by_day"]]
    by_week = len(days) > _MOST_DAYS
    begins = sorted({day - timedelta(days=day.weekday()) if by_week else day for day in days})
    place = {begin: number for number, begin in enumerate(begins)}
    bottom = np.zeros(len(begins))
    for kind, colour in sheet.colours().items():
        counts = np.zeros(len(begins))
        for text, count in figures["by_day_of_kind"].get(kind, {}).items():
            day = date.fromisoformat(text)
            counts[place[day - timedelta(days=day.weekday()) if by_week else day]] += count
        axes.bar(range(len(begins)), counts, bottom=bottom, width=0.85, color=colour, label=sheet.kind(kind))
        bottom += counts
    # The first of months where there are some, else evenly.
    firsts = [0, *(number + 1 for number, (a, b) in enumerate(pairwise(begins)) if b.month != a.month)]
    if len(begins) <= 45:
        firsts = list(range(0, len(begins), max(1, len(begins) // 12)))
    step = max(1, -(-len(firsts) // 14))
    axes.set_xticks(firsts[::step], [begins[at].isoformat() for at in firsts[::step]], rotation=30, ha="right")
    axes.set_xlim(-0.7, len(begins) - 0.3)
    axes.set_ylabel(sheet.words["incidents"])
    axes.grid(axis="y")
    _whole_numbers(axes.yaxis)
    axes.set_title(sheet.words["weeks" if by_week else "days"])
    _legend(axes)
    return True


def _cameras(sheet: Sheet) -> bool:
    axes, figures = sheet.axes, sheet.figures
    rows = figures["by_camera"][:_MOST_ROWS]
    rest = figures["by_camera"][_MOST_ROWS:]
    titles = [row["name"] for row in rows] + ([sheet.words["others"].format(count=len(rest))] if rest else [])
    places = _rows_of(sheet, titles)
    groups = [[row["camera"]] for row in rows] + ([[row["camera"] for row in rest]] if rest else [])
    left = np.zeros(len(titles))
    of = figures["by_camera_and_kind"]
    for kind, colour in sheet.colours().items():
        counts = np.array([sum(of[camera].get(kind, 0) for camera in group) for group in groups], float)
        axes.barh(places, counts, left=left, height=0.7, color=colour, label=sheet.kind(kind))
        left += counts
    for place, count in zip(places, left, strict=True):
        axes.annotate(
            f"{count:.0f}", (count, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.set_xlabel(sheet.words["incidents"])
    _whole_numbers(axes.xaxis)
    _legend(axes)
    return True


def _answers(sheet: Sheet) -> bool:
    axes, words = sheet.axes, sheet.words
    rows = [
        (f"{words[name]} · {title}", found["median_s"], found["p95_s"], number)
        for number, (name, groups) in enumerate(sheet.figures["delays"].items())
        for title, found in (
            (words["all"], groups["all"]),
            *((word(sheet.language, f"severity.{level}"), one) for level, one in groups["by_level"].items()),
        )
        if found is not None
    ]
    if not rows:
        return False
    places = _rows_of(sheet, [title for title, *_ in rows])
    # Below a second nothing is told apart.
    middle, high = (np.maximum([row[at] for row in rows], 1.0) for at in (1, 2))
    colours = [_COLOURS[row[3]] for row in rows]
    axes.hlines(places, middle, high, color=colours, linewidth=2.5, alpha=0.5)
    axes.scatter(middle, places, color=colours, s=42, zorder=3)
    axes.scatter(high, places, color="#ffffff", edgecolors=colours, marker="D", s=34, linewidths=1.6, zorder=3)
    for place, low, top in zip(places, middle, high, strict=True):
        for at_s, side, where in ((low, -8, "right"), (top, 8, "left")):
            axes.annotate(
                sheet.lasted(at_s),
                (at_s, place),
                xytext=(side, 0),
                textcoords="offset points",
                ha=where,
                va="center",
                fontsize=8.5,
                color=_DARK,
            )
    axes.set_xscale("log")
    axes.set_xlim(max(0.5, middle.min() / 4), high.max() * 4)
    axes.set_xticks(_TICKS_S, [sheet.lasted(tick) for tick in _TICKS_S])
    axes.set_xticks([], minor=True)
    axes.set_xlim(max(0.5, middle.min() / 4), high.max() * 4)
    axes.set_xlabel(words["time"])
    axes.scatter([], [], color=_DARK, s=42, label=words["median"])
    axes.scatter([], [], color="#ffffff", edgecolors=_DARK, marker="D", s=34, linewidths=1.6, label=words["p95"])
    _legend(axes)
    return True


def _precision(sheet: Sheet) -> bool:
    axes, words = sheet.axes, sheet.words
    judged = [row for row in sheet.figures["precision"] if row["precision"] is not None]
    # Each kind on all cameras, then the rules that were judged most.
    most = sorted((row for row in judged if row["camera"]), key=lambda row: -(row["true"] + row["false"]))[:12]
    rows = [row for row in judged if not row["camera"]] + most
    if not rows:
        return False
    titles = [f"{sheet.kind(row['kind'])} · {row['name'] or words['everywhere']}" for row in rows]
    places = _rows_of(sheet, titles)
    colours = [sheet.colours()[row["kind"]] for row in rows]
    right = [100 * row["precision"] for row in rows]
    axes.hlines(
        places, [100 * row["low"] for row in rows], [100 * row["high"] for row in rows], color=colours, linewidth=2.5,
        alpha=0.5,
    )  # fmt: skip
    axes.scatter(right, places, color=colours, s=42, zorder=3)
    for place, row in zip(places, rows, strict=True):
        text = f"{100 * row['precision']:.0f} %   " + words["judged"].format(count=row["true"] + row["false"])
        axes.annotate(
            text,
            (100, place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
    axes.set_xlim(0, 100)
    axes.set_xticks(range(0, 101, 20), [f"{share} %" for share in range(0, 101, 20)])
    axes.set_xlabel(f"{words['share']}; {words['interval']}")
    return True


def _places(sheet: Sheet) -> bool:
    axes, words = sheet.axes, sheet.words
    rows = sheet.figures["repeat_places"][:_MOST_ROWS]
    if not rows:
        return False
    places = _rows_of(sheet, [f"{row['name']} · {row['zone']} · {sheet.kind(row['kind'])}" for row in rows])
    colours = sheet.colours()
    axes.barh(places, [row["incidents"] for row in rows], height=0.7, color=[colours[row["kind"]] for row in rows])
    for place, row in zip(places, rows, strict=True):
        text = words["on_days"].format(**row)
        axes.annotate(
            text, (row["incidents"], place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    axes.set_xlim(right=1.25 * rows[0]["incidents"])
    axes.set_xlabel(words["incidents"])
    _whole_numbers(axes.xaxis)
    return True


def _crowds(sheet: Sheet) -> bool:
    axes, words = sheet.axes, sheet.words
    rows = [row for row in sheet.figures["density_minutes"]["by_place"] if any(row["above"].values())][:_MOST_ROWS]
    if not rows:
        return False
    places = _rows_of(sheet, [f"{row['name']} · {row['zone']}" for row in rows])
    # Each is part of the one before: darker is denser.
    for number, density in enumerate(rows[0]["above"]):
        minutes = [row["above"][density] for row in rows]
        colour = ("#9ecae1", "#4292c6", "#08306b")[number]
        label = words["above"].format(density=density)
        axes.barh(places, minutes, height=0.75 - 0.2 * number, color=colour, label=label)
    for place, row in zip(places, rows, strict=True):
        minutes = list(row["above"].values())
        text = " / ".join(f"{one:.0f}" if one >= 10 or one == 0 else f"{one:.1f}" for one in minutes)
        axes.annotate(text, (minutes[0], place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_xlim(right=1.15 * rows[0]["above"][next(iter(rows[0]["above"]))])
    axes.set_xlabel(words["minutes"])
    _legend(axes)
    return True


#: Name -> draws it; False: there is nothing to show.
PICTURES: Final[dict[str, Callable[[Sheet], bool]]] = {
    "when": _when,
    "days": _days,
    "cameras": _cameras,
    "answers": _answers,
    "precision": _precision,
    "places": _places,
    "crowds": _crowds,
}
