"""A font for the PDF. None is shipped: Chinese ones are large, and every system that shows Chinese has one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.errors import BadInput

#: File names with the bold one beside it and the face to take from a collection (Noto's holds JP, KR, SC, TC, HK in this
#: order). The first that is there is taken.
CHINESE: Final[tuple[tuple[str, str, int], ...]] = (
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", 2),
    ("NotoSansCJKsc-Regular.otf", "NotoSansCJKsc-Bold.otf", 0),
    ("NotoSansSC-Regular.otf", "NotoSansSC-Bold.otf", 0),
    ("NotoSansSC-Regular.ttf", "NotoSansSC-Bold.ttf", 0),
    ("SourceHanSansSC-Regular.otf", "SourceHanSansSC-Bold.otf", 0),
    ("wqy-microhei.ttc", "", 0),
    ("wqy-zenhei.ttc", "", 0),
    ("msyh.ttc", "msyhbd.ttc", 0),
    ("DroidSansFallbackFull.ttf", "", 0),
    ("DroidSansFallback.ttf", "", 0),
)
#: Enough where no Chinese is to be shown.
OTHER: Final[tuple[tuple[str, str, int], ...]] = (
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", 0),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", 0),
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf", 0),
)
_FOLDERS: Final = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts")


@dataclass(frozen=True, slots=True)
class Font:
    """`bold` is `plain` again where there is no bold one. `face`: which of a collection."""

    plain: Path
    bold: Path
    face: int


def find(chinese: bool, folders: Sequence[str] = _FOLDERS) -> Font:
    """The best that this machine has; `chinese`: Chinese characters are to be shown.

    Raises: BadInput: there is none, with the package that has one.
    """
    there = {path.name: path for path in _files(folders)}
    for name, bold, face in CHINESE if chinese else (*OTHER, *CHINESE):
        if name in there:
            return Font(there[name], there.get(bold, there[name]), face)
    raise BadInput(
        "a PDF needs a font with Chinese, and none is installed: apt-get install fonts-wqy-microhei (3 MB) or fonts-noto-cjk, "
        "or ask for html, which takes the viewer's"
    )


def _files(folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        for root, _, names in os.walk(Path(folder).expanduser()):
            yield from (Path(root, name) for name in names)
