"""Python's collector of garbage in a process that holds the same hundred thousand objects for months."""

from __future__ import annotations

import gc
from typing import Final

#: So many more objects than were given up are made before it looks through them. Pictures make and give up some ten thousand
#: while nothing is left over: at Python's 700 it looked through them every 27 pictures, and now and then through all there is.
_MADE: Final = 20_000


def look_seldom() -> None:
    """To be called when all is there that stays: it is not looked through any more, until this is called again (a bench does so
    for each trial, and what stayed for the last may be garbage by then).
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MADE, *gc.get_threshold()[1:])
