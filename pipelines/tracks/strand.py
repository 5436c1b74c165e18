"""A chunk while it grows: what the worker's loop gives away second by second, and what it is told in return."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.tracks.chunk import Origin
from pipelines.tracks.packed import PackedFrames


class Strand:
    """One chunk that grows. Whoever keeps it sets `is_broken` when it cannot go on; then another one is begun."""

    __slots__ = ("camera_id", "is_broken", "origin")

    def __init__(self, origin: Origin) -> None:
        self.camera_id = origin.camera_id
        self.origin: Origin | None = origin
        """None once it is kept: a snapshot of an engine is large."""
        self.is_broken = False


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some frames of a strand, after those that were given before. `is_last`: it has no more, and these may be none."""

    strand: Strand
    frames: PackedFrames
    is_last: bool
