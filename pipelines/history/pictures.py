"""Pictures of the figures: when, how many, how fast answered, how often right. SVG keeps text as text; PNG needs a font."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.errors import BadInput
from pipelines.wording import Language, word

#: The first that is there is taken for Chinese.
CHINESE_FONTS: Final[tuple[str, ...]] = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
    "Droid Sans Fallback",
)
_CHINESE: Final = re.compile("[\u2e80-\u9fff\uff00-\uffef]")
_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "when": "Incidents by weekday and hour",
        "days": "Incidents a day",
        "answers": "How long until an answer (median, and 95 of 100)",
        "precision": "How often right, where a person judged (95 % interval)",
        "hour": "hour",
        "acknowledge": "acknowledged",
        "on_site": "on site",
        "close": "closed",
        "seconds": "seconds",
        "all": "all",
        "weekdays": "Mon Tue Wed Thu Fri Sat Sun",
    },
    "zh-CN": {
        "when": "按星期和小时统计的事件数",
        "days": "每日事件数",
        "answers": "响应用时（中位数与95分位）",
        "precision": "经人工判断的准确率（95%区间）",
        "hour": "时",
        "acknowledge": "确认",
        "on_site": "到场",
        "close": "关闭",
        "seconds": "秒",
        "all": "全部",
        "weekdays": "周一 周二 周三 周四 周五 周六 周日",
    },
}


def draw(figures: dict[str, Any], folder: Path, language: Language, kind: Literal["svg", "png"]) -> list[Path]:
    """Draw what `pipelines.history.stats.stats` gave; returns the files (`when`, `days`, `answers`, `precision`), those without
    anything to show left out.

    Raises: BadInput: matplotlib or a font is missing, or the folder cannot be written.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise BadInput("pictures need the package matplotlib: pip install 'gatewatch[analysis]'") from error
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # fonts that only others have
    fonts = _fonts()
    chinese = language == "zh-CN" or bool(_CHINESE.search(str(figures)))
    if kind == "png" and chinese and not fonts:
        raise BadInput(
            "no font with Chinese is installed: apt-get install fonts-wqy-microhei (or fonts-noto-cjk), "
            "or ask for --picture-format svg, which takes the viewer's"
        )
    # In SVG the viewer's fonts count, not ours.
    families = ["DejaVu Sans", *(CHINESE_FONTS if kind == "svg" else fonts), "sans-serif"]
    style: Any = {
        "font.family": families,
        "svg.fonttype": "none",
        "text.parse_math": False,  # a camera may be named with a $
        "svg.hashsalt": "gatewatch",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    drawn: list[Path] = []
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        for name, picture in (("when", _when), ("days", _days), ("answers", _answers), ("precision", _precision)):
            figure = Figure(figsize=(9, 4.2), dpi=110, layout="constrained")
            if not picture(figure.subplots(), figures, _WORDS[language], language):
                continue
            path = folder / f"{name}.{kind}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else None)
            except OSError as error:
                raise BadInput(f"{path} cannot be written: {error.strerror}") from error
            drawn.append(path)
    return drawn


def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    there = {entry.name for entry in fontManager.ttflist}
    return [name for name in CHINESE_FONTS if name in there][:1]


def _when(axes: Any, figures: dict[str, Any], words: dict[str, str], _language: Language) -> bool:
    week = figures["by_hour_and_weekday"]
    if not figures["incidents"]:
        return False
    shown = axes.imshow(week, aspect="auto", cmap="YlOrRd", vmin=0)
    axes.set_yticks(range(7), words["weekdays"].split())
    axes.set_xticks(range(24))
    axes.set_xlabel(f"{words['hour']} ({figures['timezone']})")
    axes.set_title(words["when"])
    axes.figure.colorbar(shown, ax=axes)
    return True


def _days(axes: Any, figures: dict[str, Any], words: dict[str, str], _language: Language) -> bool:
    by_day = figures["by_day"]
    if not by_day:
        return False
    axes.bar(range(len(by_day)), list(by_day.values()), width=0.9, color="#c0504d")
    step = max(1, len(by_day) // 12)
    axes.set_xticks(range(0, len(by_day), step), list(by_day)[::step], rotation=30, ha="right")
    axes.set_title(words["days"])
    return True


def _answers(axes: Any, figures: dict[str, Any], words: dict[str, str], language: Language) -> bool:
    rows = [
        (f"{words[name]}, {title}", found["median_s"], found["p95_s"])
        for name, groups in figures["delays"].items()
        for title, found in (
            (words["all"], groups["all"]),
            *((word(language, f"severity.{level}"), one) for level, one in groups["by_level"].items()),
        )
        if found is not None
    ][::-1]
    if not rows:
        return False
    places = range(len(rows))
    axes.hlines(places, [median for _, median, _ in rows], [high for _, _, high in rows], color="#7f7f7f", linewidth=2)
    axes.plot([median for _, median, _ in rows], places, "o", color="#1f5f99")
    axes.plot([high for _, _, high in rows], places, "|", color="#c0504d", markersize=12)
    axes.set_yticks(places, [title for title, _, _ in rows])
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlim(left=0)
    axes.set_xlabel(words["seconds"])
    axes.set_title(words["answers"])
    return True


def _precision(axes: Any, figures: dict[str, Any], words: dict[str, str], language: Language) -> bool:
    judged = [row for row in figures["precision"] if row["precision"] is not None]
    # Each kind on all cameras, then the rules that were judged most.
    most = sorted((row for row in judged if row["camera"]), key=lambda row: -(row["true"] + row["false"]))[:12]
    rows = ([row for row in judged if not row["camera"]] + most)[::-1]
    if not rows:
        return False
    for place, row in enumerate(rows):
        axes.hlines(place, row["low"], row["high"], color="#7f7f7f", linewidth=2)
        axes.plot(row["precision"], place, "o", color="#1f5f99")
    titles = [
        f"{word(language, 'kind.' + row['kind'])}, {row['name'] or words['all']} ({row['true'] + row['false']})"
        for row in rows
    ]
    axes.set_yticks(range(len(rows)), titles)
    axes.set_xlim(0, 1)
    axes.set_title(words["precision"])
    return True
