"""One video through detector and engine in the caller's own thread: what `gatewatch analyse` and the evaluations run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pipelines.config.build import camera_spec
from pipelines.config.schema import Config
from pipelines.media.drawing import draw_scene
from pipelines.media.file import open_source
from pipelines.media.writer import VideoWriter
from pipelines.workers.pictures import PictureStore, Place
from vision.aggression import RegionScorer
from vision.crowd_watch import CrowdReader
from vision.detection import Detector
from vision.engine import Engine, Step
from vision.frame import Frame, Pixels
from vision.incident import Incident, Phase
from vision.interaction import RATE_HZ

#: How much early a picture may be analysed, so that rates that do not divide evenly are met on average.
_SLACK_S: Final = 0.02


class FileAnalysis:
    """Analyses one file or URL. `run` yields each incident once: when it closes, or at the end while it is still open."""

    def __init__(
        self,
        config: Config,
        camera_id: str,
        video: str,
        *,
        fps: float,
        start_s: float | None,
        now_s: float,
        detector: Detector,
        scorer: RegionScorer | None = None,
        crowds: CrowdReader | None = None,
        annotate: Path | None = None,
        pictures: Path | None = None,
    ) -> None:
        self._config = config
        self._camera_id = camera_id
        # A region wants to see more pictures than the detector does: they are only glanced at.
        self._source = open_source(video, camera_id, fps if scorer is None else max(fps, RATE_HZ))
        self._source.start_s = _recorded_from_s(video, self._source.duration_s, now_s) if start_s is None else start_s
        self._fps = fps
        self._detector = detector
        self._annotate = annotate
        self._pictures = PictureStore(pictures) if pictures is not None else None
        self._spec = camera_spec(config, camera_id)
        self._engine = Engine(self._spec, scorer, crowds)

    @property
    def start_s(self) -> float:
        """Time of the first frame, seconds since the Unix epoch."""
        return self._source.start_s

    @property
    def duration_s(self) -> float | None:
        """Length of the video where the file says it."""
        return self._source.duration_s

    def run(self, progress: Callable[[float], None]) -> Iterator[Incident]:
        """`progress` gets the seconds of video analysed so far. Raises BadInput for unreadable video, DetectorError."""
        running: dict[str, Incident] = {}
        with ExitStack() as stack:
            writer = stack.enter_context(VideoWriter(self._annotate, self._fps)) if self._annotate else None
            analysed_s = float("-inf")
            for frame in self._source:
                if frame.time_s - analysed_s < 1 / self._fps - _SLACK_S:
                    self._engine.glance(frame)
                    continue
                analysed_s = frame.time_s
                step = self._engine.step(frame, self._detector.detect([frame.pixels])[0])
                self._keep_pictures(step, frame)
                yield from self._closed(step, running)
                if writer is not None:
                    writer.write(self._drawn(frame, step, list(running.values())), frame.time_s - self.start_s)
                progress(frame.time_s - self.start_s)
        yield from sorted(
            (incident for incident in running.values() if incident.opened_s is not None),
            key=lambda incident: incident.opened_s or 0.0,
        )

    @staticmethod
    def _closed(step: Step, running: dict[str, Incident]) -> Iterator[Incident]:
        for incident in step.incidents:
            running[incident.incident_id] = incident
            if incident.phase == Phase.CLOSED:
                del running[incident.incident_id]
                if incident.opened_s is not None:
                    yield incident

    def _drawn(self, frame: Frame, step: Step, running: list[Incident]) -> Pixels:
        tracks = step.scene.tracks if step.scene is not None else ()
        clock = f"{frame.time_s - self.start_s:.1f} s"
        return draw_scene(frame.pixels, self._spec.zones, tracks, running, frame.time_s, clock)

    def _keep_pictures(self, step: Step, frame: Frame) -> None:
        if self._pictures is None:
            return
        camera = self._config.cameras[self._camera_id]
        timezone = ZoneInfo(self._config.site.timezone)
        site = self._config.site
        place = Place(site.name, self._camera_id, camera.name or self._camera_id, timezone, site.language)
        for request in step.pictures:
            self._pictures.save(request, frame, place)


def _recorded_from_s(video: str, duration_s: float | None, now_s: float) -> float:
    """When a recording began, as well as a file can tell: it was last changed when its last picture came."""
    path = Path(video)
    return path.stat().st_mtime - (duration_s or 0.0) if path.is_file() else now_s
