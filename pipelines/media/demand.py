"""Which packets need not be decoded: each picture of a stream is made of the one before it, until a picture that stands alone; so
those between the last that is looked at and the next that stands alone are for nobody.

A packet whose picture nobody wants waits, and those that wait are decoded with the next one that somebody does. Where a picture
that stands alone comes first, they are thrown away, and what is decoded from then on is the same to the bit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

import av

from pipelines.media.pace import Pace

#: No packet waits longer, or behind more of them: all are decoded at once in the end.
_LONGEST_S: Final = 2.0
_MOST: Final = 50
#: How often the pictures that are picked may be shifted, so that few lie between the last of them and the next that stands alone.
_AGAIN_S: Final = 60.0
#: Where what a packet holds is said. Words to the viewer may come before it.
_HEAD_BYTES: Final = 4096
_START: Final = re.compile(rb"\x00\x00\x01.", re.DOTALL)

#: By codec, kinds of unit: a picture made of others; one that stands alone, and before which nothing is needed any more; what
#: may come before either and says nothing that later pictures need (delimiters, words to the viewer); what they need.
_KINDS: Final = {
    "h264": (frozenset({1}), frozenset({5}), frozenset({6, 9}), frozenset({7, 8})),
    "hevc": (frozenset(range(10)), frozenset({19, 20}), frozenset({35, 39}), frozenset({32, 33, 34})),
}


class Demand:
    """Of one session of one camera."""

    def __init__(self, context: Any, pace: Pace) -> None:
        """`context`: the session's decoder; `pace` says which pictures are wanted."""
        self._context = context
        self._pace = pace
        self._codec = str(context.name)
        self._kinds = _KINDS.get(self._codec)
        extradata = context.extradata
        # MP4 says how long each unit is; over RTSP each begins with a mark.
        at = {"h264": 4, "hevc": 21}.get(self._codec, 0)
        marked = not extradata or extradata[0] != 1 or len(extradata) <= at
        self._length_bytes = 0 if marked else (extradata[at] & 3) + 1
        self._waiting: list[av.Packet[Any]] = []
        self._since_s = 0.0
        self._last_s: float | None = None
        self._begun_s = -math.inf

    def put(self, packet: av.Packet[Any], time_s: float | None, arrival_s: float) -> list[av.Packet[Any]]:
        """What must be decoded now that `packet` is there, in order; `packet` is the last, or is not in it and waits. `time_s`:
        its picture's, None when that is not known yet; `arrival_s` is monotonic.
        """
        last_s, self._last_s = self._last_s, time_s
        # A decoder that gives pictures in another order than they come has not given the last ones yet.
        reordered = self._context.has_b_frames or packet.dts not in (None, packet.pts)
        if time_s is None or self._kinds is None or reordered or not packet.size:
            return self._all_and(packet)
        made_of_others, alone, _, _ = self._kinds
        kind, says_more = self._kind(packet)
        if kind in alone:
            if last_s is not None and time_s - self._begun_s >= _AGAIN_S:
                self._begun_s = time_s
                self._pace.begin_with(time_s, time_s - last_s)
            self._waiting = []
            return [packet]
        if kind not in made_of_others or says_more or self._pace.wants(time_s):
            return self._all_and(packet)
        if not self._waiting:
            self._since_s = arrival_s
        elif arrival_s - self._since_s > _LONGEST_S or len(self._waiting) >= _MOST:
            return self._all_and(packet)
        self._waiting.append(packet)
        return []

    def _all_and(self, packet: av.Packet[Any]) -> list[av.Packet[Any]]:
        every, self._waiting = [*self._waiting, packet], []
        return every

    def _kind(self, packet: av.Packet[Any]) -> tuple[int, bool]:
        """That of its picture's first unit (-1: none), and whether something that later pictures need comes before it."""
        assert self._kinds is not None
        _, _, beside, needed = self._kinds
        head, says_more = memoryview(packet)[:_HEAD_BYTES], False
        for first_byte in self._measured(head) if self._length_bytes else self._marked(head):
            kind = first_byte & 31 if self._codec == "h264" else first_byte >> 1 & 63
            if kind in needed:
                says_more = True
            elif kind not in beside:
                return kind, says_more
        return -1, says_more

    @staticmethod
    def _marked(head: memoryview) -> Iterator[int]:
        return (head[found.end() - 1] for found in _START.finditer(head))

    def _measured(self, head: memoryview) -> Iterator[int]:
        at, size = 0, self._length_bytes
        while at + size < len(head):
            yield head[at + size]
            at += size + int.from_bytes(head[at : at + size])
