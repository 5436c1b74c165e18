"""What the cameras of a worker are given: where frames come from, and what all of them share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event as StopEvent
from typing import Any, Generic, Protocol, TypeVar

from pipelines.clock import Clock
from pipelines.config.schema import Config
from pipelines.events.bus import Publisher
from pipelines.stages import Laps
from pipelines.tracks.strand import Piece
from pipelines.workers.live import LiveView
from pipelines.workers.pictures import PictureStore
from vision.aggression import RegionScorer
from vision.crowd_watch import CrowdReader
from vision.frame import Frame


class Reader(Protocol):
    """Where frames come from; `pipelines.media.rtsp.RtspReader` in production. `fps` may be set while it runs."""

    fps: float
    on_frame: Callable[[], None]
    """Called whenever a picture waits to be taken, in any thread, and must be quick; set before it runs."""

    @property
    def next_time_s(self) -> float | None:
        """Capture time of the picture that `take` would give; None: it would give none."""
        ...

    @property
    def superseded(self) -> int:
        """Pictures so far that a newer one replaced before they were taken."""
        ...

    @property
    def last_time_s(self) -> float:
        """Capture time of the newest picture that came, analysed or not."""
        ...

    def run(self, stop: StopEvent) -> None: ...

    def take(self, timeout_s: float) -> Frame | None: ...


#: (camera_id, url, fps, not_before_s) -> Reader
ReaderFactory = Callable[[str, str, float, float], Reader]


Part = TypeVar("Part")


def _needless(_config: Config) -> None:
    return None


class Kept(Generic[Part]):
    """What some rules need beside the detector: loaded when a configuration first asks for it, and kept from then on."""

    def __init__(self, load: Callable[[Config], Part | None], config: Config) -> None:
        """`load` gives None for a configuration that does not ask for it, and where it cannot be had, which it tells of: for
        the first one, `config`, at once.
        """
        self._load = load
        self._asked = config
        self._part = load(config)

    def __call__(self, config: Config) -> Part | None:
        """It, or None. However many cameras ask for one configuration, it is tried once."""
        if self._part is None and config is not self._asked:
            self._asked, self._part = config, self._load(config)
        return self._part


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every camera of a worker shares."""

    clock: Clock
    publisher: Publisher
    pictures: PictureStore
    open_reader: ReaderFactory
    log: logging.Logger
    #: What the rules of a configuration need beside the detector; None: they do without.
    scorer: Callable[[Config], RegionScorer | None] = _needless
    crowds: Callable[[Config], CrowdReader | None] = _needless
    live: LiveView | None = None
    laps: Laps = field(default_factory=Laps)
    """Where the time of the worker's own thread is noted, stage by stage: one of `Metrics.stages` in production."""
    #: How far a camera's times can be trusted now, as plain JSON; None: nobody is asked.
    clock_of: Callable[[str], dict[str, Any]] | None = None
    #: Takes what was seen, every second; None: tracks are not kept.
    keep_tracks: Callable[[Piece], None] | None = None
