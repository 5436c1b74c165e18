"""Footage with a truth file through detector and engine: every true incident once, in time, and what was raised for nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from pipelines.analysis_of_file import FileAnalysis
from pipelines.config.cameras import Camera, Stream
from pipelines.config.truth import ENDINGS, TruthFile
from pipelines.crowding.loading import load_crowds
from pipelines.errors import BadInput
from pipelines.samples import library
from pipelines.samples.staged.scene import START_S
from vision.evaluation.incidents import Happening, IncidentScore, score_incidents
from vision.evaluation.poisson import rate_bound

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from vision.detection import Detector

_VIDEOS: Final = (".mp4", ".mkv", ".avi", ".mov", ".ts", ".webm")
_HOURS_PER_DAY: Final = 24.0
#: A container's length and that of its pictures differ by as much.
_END_S: Final = 1.0

Say = Callable[[str], None]
Progress = Callable[[str, float, float | None], None]


@dataclass(frozen=True, slots=True)
class Footage:
    """One video of one camera with its truth. `camera_id` is whose figures it adds to."""

    file: TruthFile
    camera_id: str
    camera: Camera
    video: Path


def truth_files(root: Path) -> list[Path]:
    """The truth files below a folder, in order."""
    return sorted(path for path in root.rglob("*.truth.*") if path.name.endswith(ENDINGS))


def footage_of(root: Path, kind: str, config: Config) -> list[Footage]:
    """Every video below `root` whose truth is about incidents of `kind`: those with a rule of it.

    Raises:
        BadInput: a truth file cannot be used, names a camera or a video that is not there, or a video that another does.
    """
    found: list[Footage] = []
    for path in truth_files(root):
        file = TruthFile(path)
        camera_id, camera = _camera(file, config)
        rules = [rule for rule in camera.rules if rule.kind == kind]
        if not rules:
            continue
        for number, incident in enumerate(file.truth.incidents):
            if incident.kind == kind and incident.zone not in {rule.zone for rule in rules}:
                raise file.fault(
                    ("incidents", number, "zone"), f"no rule of {kind} of camera {camera_id} watches this zone"
                )
        video = _video(file)
        for other in found:
            if other.video.resolve() == video.resolve() and other.camera_id == camera_id:
                raise file.fault(
                    ("video",), f"{video.name} is the footage of {other.file.path} already: it would count twice"
                )
        found.append(Footage(file, camera_id, camera.model_copy(update={"rules": rules}), video))
    return found


def _camera(file: TruthFile, config: Config) -> tuple[str, Camera]:
    """The file's own zones and rules, else those of the configuration's camera that it names, else of its sample clip."""
    truth = file.truth
    camera_id = truth.camera or truth.clip or file.path.name.split(".", maxsplit=1)[0]
    main = Stream(url="truth")
    if truth.rules is not None:
        ground, masks = truth.ground, truth.masks
        return camera_id, Camera(main=main, zones=truth.zones, rules=truth.rules, ground=ground, masks=masks)
    if truth.camera is not None:
        known = config.cameras.get(truth.camera)
        if known is None:
            names = ", ".join(config.cameras) or "none; name it with -c"
            raise file.fault(
                ("camera",), f"no such camera in the configuration, and the file has no rules; known: {names}"
            )
        return camera_id, known
    clip = library.clips().get(truth.clip or "")
    if clip is None:
        clips = ", ".join(library.clips())
        raise file.fault(
            ("clip",),
            f"needs rules: write zones and rules here, or the camera of a configuration, or a sample clip ({clips})",
        )
    return camera_id, Camera.model_validate({"main": main, "zones": clip.zones, "rules": list(clip.rules)})


def _video(file: TruthFile) -> Path:
    """The file that the truth names, else one beside it with its name, else the sample clip."""
    truth, folder = file.truth, file.path.parent
    if truth.video is not None:
        video = folder / truth.video
        if not video.is_file():
            raise file.fault(("video",), f"{video}: no such file")
        return video
    stem = file.path.name.split(".truth.", maxsplit=1)[0]
    for ending in _VIDEOS:
        if (folder / f"{stem}{ending}").is_file():
            return folder / f"{stem}{ending}"
    clip = library.clips().get(truth.clip or "")
    if clip is None:
        raise file.fault(("video",), f"names no video, and there is no {stem}.mp4 (.mkv, .avi, ...) beside the file")
    video = library.original(clip, lambda _: None)
    if not video.is_file():
        raise file.fault(("clip",), f"{video}: no such file; `gatewatch samples pull` makes it")
    return video


def incidents(
    footage: Sequence[Footage], kind: str, config: Config, detector: Detector, fps: float, progress: Progress, warn: Say
) -> dict[str, Any]:
    """Plays all of it; the figures in all, by camera and by video. `progress` gets the video's name, the seconds of it that
    are analysed, and its length; `warn` what could not be loaded and is done without.

    Raises:
        BadInput: a video cannot be read, or ends before its truth does.
    """
    played = [(one, _play(one, kind, config, detector, fps, progress, warn)) for one in footage]
    cameras: dict[str, list[IncidentScore]] = {}
    for one, score in played:
        cameras.setdefault(one.camera_id, []).append(score)
    return {
        "detector": detector.name,
        "kind": kind,
        "fps": fps,
        **_sum([score for _, score in played]),
        "cameras": [{"camera": camera_id, **_sum(scores)} for camera_id, scores in cameras.items()],
        "videos": [
            {"video": one.video.name, "truth": str(one.file.path), "camera": one.camera_id, **_row(score)}
            for one, score in played
        ],
    }


def _play(
    one: Footage, kind: str, config: Config, detector: Detector, fps: float, progress: Progress, warn: Say
) -> IncidentScore:
    truth = one.file.truth
    site = config.model_copy(update={"cameras": {one.camera_id: one.camera}})
    start_s = START_S if truth.start_s is None else truth.start_s
    try:
        analysis = FileAnalysis(
            site, one.camera_id, str(one.video), fps=fps, start_s=start_s, now_s=start_s, detector=detector,
            crowds=load_crowds(site, warn),
        )  # fmt: skip
    except (BadInput, ValueError) as error:  # such as a schedule that the site's configuration does not have
        raise BadInput(f"{one.file.path}: {error}") from error
    seconds = 0.0

    def show(analysed_s: float) -> None:
        nonlocal seconds
        seconds = analysed_s
        progress(one.video.name, analysed_s, analysis.duration_s)

    reported = [
        Happening(found.kind, found.zone_id, found.opened_s - start_s, _since(found.closed_s, start_s))
        for found in analysis.run(show)
        if found.kind == kind and found.opened_s is not None
    ]
    seconds += 1 / fps  # the last picture stands for as long as each
    for number, incident in enumerate(truth.incidents):
        if incident.kind == kind and max(incident.opens_s, incident.closes_s or 0.0) > seconds + _END_S:
            at = ("incidents", number, "opens_s" if incident.opens_s > seconds + _END_S else "closes_s")
            raise one.file.fault(at, f"{one.video.name} ends at {seconds:.1f} s, before that; is it another video?")
    true = [Happening(i.kind, i.zone, i.opens_s, i.closes_s) for i in truth.incidents if i.kind == kind]
    return score_incidents(true, reported, seconds)


def _since(time_s: float | None, start_s: float) -> float | None:
    return None if time_s is None else time_s - start_s


def _sum(scores: Sequence[IncidentScore]) -> dict[str, Any]:
    true, reported, matched = (sum(getattr(s, name) for s in scores) for name in ("true", "reported", "matched"))
    false, days = sum(s.false_alarms for s in scores), sum(s.hours for s in scores) / _HOURS_PER_DAY
    bound = rate_bound(false, days)
    pairs = [pair for score in scores for pair in score.pairs]
    return {
        "precision": round(matched / reported, 4) if reported else 1.0,
        "recall": round(matched / true, 4) if true else 1.0,
        "true": true,
        "reported": reported,
        "matched": matched,
        "duplicates": sum(s.duplicates for s in scores),
        "false_alarms": false,
        "opening_delay_s": _delay([delay for s in scores for delay in s.opening_delays_s]),
        "closing_delay_s": _delay([delay for s in scores for delay in s.closing_delays_s]),
        "left_open": sum(a.closed_s is not None and b.closed_s is None for a, b in pairs),
        "closed_early": sum(a.closed_s is None and b.closed_s is not None for a, b in pairs),
        "hours": round(days * _HOURS_PER_DAY, 4),
        "false_alarms_per_day": round(false / days, 2) if days > 0 else None,
        "false_alarms_per_day_bound_95": None if bound is None else round(bound, 2),
    }


def _delay(delays_s: Sequence[float]) -> dict[str, float] | None:
    """The middle one, and the earliest and latest."""
    if not delays_s:
        return None
    return {
        "median": round(median(delays_s), 2),
        "earliest": round(min(delays_s), 2),
        "latest": round(max(delays_s), 2),
    }


def _row(score: IncidentScore) -> dict[str, Any]:
    told = score.as_dict()
    return {
        "seconds": round(score.hours * 3600, 1),
        **{
            name: told[name]
            for name in (
                *("true", "reported", "matched", "duplicates", "false_alarms", "opening_delays_s", "closing_delays_s"),
            )
        },
    }
