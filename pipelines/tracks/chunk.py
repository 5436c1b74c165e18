"""Some minutes of one camera, complete in themselves: what a file of tracks holds, however it is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.tracks.packed import PackedFrames


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a chunk comes from. `state` is the engine's snapshot before the first frame, `rules` the camera's zones and
    rules that were in force, as plain values.
    """

    camera_id: str
    config_version: str
    state: Mapping[str, Any]
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some minutes of one camera, complete in itself."""

    origin: Origin
    frames: PackedFrames

    @property
    def from_s(self) -> float:
        """Time of its first frame. Raises IndexError when it has none."""
        return self.frames.from_s
