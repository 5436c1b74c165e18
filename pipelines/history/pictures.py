"""Pictures of the figures: when, where, how many, how fast answered, how often right, how dense. SVG keeps text as text; PNG
needs a font with Chinese for Chinese."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.errors import BadInput
from pipelines.history.picture_charts import PICTURES, Sheet, head
from pipelines.history.picture_words import WORDS
from pipelines.wording import Language

#: The first that is there is taken for Chinese. The last two have Japan's and Taiwan's shapes of some characters.
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
    "Noto Sans CJK TC",
    "Noto Sans CJK JP",
)
_CHINESE: Final = re.compile("[\u2e80-\u9fff\uff00-\uffef]")


def draw(figures: dict[str, Any], folder: Path, language: Language, kind: Literal["svg", "png"]) -> list[Path]:
    """Draw what `pipelines.history.stats.stats` gave; returns the files, named as there, those without
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
        "font.size": 10,
        "svg.fonttype": "none",
        "text.parse_math": False,  # a camera may be named with a $
        "svg.hashsalt": "gatewatch",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 13,
        "axes.titlelocation": "left",
        "axes.titlepad": 24,
        "axes.edgecolor": "#999999",
        "axes.axisbelow": True,
        "grid.color": "#e3e3e3",
        "legend.frameon": False,
    }
    drawn: list[Path] = []
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        for name, picture in PICTURES.items():
            figure = Figure(figsize=(10, 4.4), dpi=110, layout="constrained")
            sheet = Sheet(figure.subplots(), figures, WORDS[language], language)
            if not figures["incidents"] or not picture(sheet):
                continue
            head(sheet, name)
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
