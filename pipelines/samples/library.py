"""The sample clips, made ready to be played: pulled or staged, then encoded; with their configuration and their truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from pipelines import paths
from pipelines.config.plain import read_yaml, to_yaml
from pipelines.errors import BadInput, Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.samples import catalogue
from pipelines.samples.cameras import SampleCamera
from pipelines.samples.catalogue import SampleFile
from pipelines.samples.encode import PROFILES, encode
from pipelines.samples.pull import Say, pull
from pipelines.samples.staged import gate
from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.making import company_of, make_gate, recipe
from pipelines.samples.staged.scene import Scene
from pipelines.samples.staged.scenes import Suite, suite
from pipelines.samples.staged.vehicles import Vehicles, cut_bus, cut_motorcycle
from vision.frame import Pixels

FOOTAGE: Final = "vtest.avi"
#: The pictures that some staged scenes need, and who is cut out of them.
BUS_PICTURE: Final = "bus.jpg"
MOTORCYCLE_PICTURE: Final = "motorcycle_left.png"
#: The `source` of a clip that is made at run time.
STAGED: Final = "staged"


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that sample cameras play. `zones` and `rules` are as in the YAML of a camera; `source` a catalogue file."""

    clip_id: str
    name: str
    what: str
    source: str
    zones: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]]


def clips() -> dict[str, Clip]:
    """The clips, in order.

    Raises:
        BadInput: the catalogue is missing or broken.
    """
    place = catalogue.folder() / "catalogue.yaml"
    try:
        return {clip_id: _clip(clip_id, entry) for clip_id, entry in read_yaml(place)["clips"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{place}: not a list of sample clips: {error!r}") from error


def _clip(clip_id: str, entry: Mapping[str, Any]) -> Clip:
    if entry["source"] == STAGED:
        zones = {name: {"polygon": [list(point) for point in polygon]} for name, polygon in gate.ZONES.items()}
        return Clip(clip_id, entry["name"], entry["what"], STAGED, zones, gate.RULES)
    return Clip(clip_id, entry["name"], entry["what"], entry["source"], entry["zones"], entry["rules"])


def streams_dir() -> Path:
    """The folder that the sample cameras serve: CLIP-main.mp4 and CLIP-sub.mp4 for each clip."""
    return paths.samples_dir() / "streams"


def footage(say: Say, given: Path | None = None) -> tuple[Path, SampleFile]:
    """The real clip and its entry in the catalogue. Pulls it when it is not there; raises as `pull`."""
    file = catalogue.load()[FOOTAGE]
    return pull(file, paths.samples_dir(), say, given), file


def staged_dir(say: Say, given: Path | None = None) -> Path:
    """The folder with the staged clip gate.mkv and its truth; made when it is not there (half a minute)."""
    place, file = footage(say, given)
    cache = paths.samples_dir() / "staged"
    if not (cache / recipe(file.sha256)).is_dir():
        say("gate: staging the clip from the footage (half a minute) ...")
    return make_gate(place, file.sha256, cache)


def staged_company(say: Say) -> Company:
    """The empty road and everybody who can play on it; pulls the footage when it is not there."""
    return company_of(footage(say)[0])


def picture(name: str, say: Say, *, fetch: bool = True) -> Pixels | None:
    """A picture of the catalogue, (H, W, 3) uint8 BGR. Pulled when it is not there and `fetch`; None, and the reason said,
    when it cannot be had.
    """
    if not fetch and not (paths.samples_dir() / name).is_file():
        return None
    try:
        place = pull(catalogue.load()[name], paths.samples_dir(), say)
    except Unavailable as error:
        say(f"{error}\nThe staged scenes that need it are skipped.")
        return None
    # Its bytes are known to be right.
    return np.asarray(cv2.imread(str(place), cv2.IMREAD_COLOR), np.uint8)


def staged_suite(say: Say, *, fetch: bool = True) -> Suite:
    """The suite of staged scenes (`pipelines.samples.staged.scenes`). Pulls the footage when it is not there, and the
    pictures of vehicles if `fetch`; the scenes whose picture cannot be had stand in `skipped`.

    Raises:
        Unavailable: the footage cannot be had.
    """
    bus, motorcycle = (picture(name, say, fetch=fetch) for name in (BUS_PICTURE, MOTORCYCLE_PICTURE))
    vehicles = Vehicles(
        bus=None if bus is None else cut_bus(bus), motorcycle=None if motorcycle is None else cut_motorcycle(motorcycle)
    )
    return suite(staged_company(say), vehicles)


def staged_scenes(say: Say) -> list[Scene]:
    """The scenes of `staged_suite` that can be drawn with what is here."""
    return list(staged_suite(say, fetch=False).scenes)


def original(clip: Clip, say: Say, given: Path | None = None) -> Path:
    """The clip as it was filmed or staged, at full size. Pulls or makes it when it is not there. Raises as `pull`."""
    if clip.source == STAGED:
        return staged_dir(say, given) / f"{clip.clip_id}.mkv"
    return footage(say, given)[0]


def prepare(ffmpeg: Ffmpeg, say: Say, given: Path | None = None) -> Path:
    """Everything that the sample cameras need, quick when repeated; returns `streams_dir()`.

    Raises:
        Unavailable: the footage cannot be had.
        FfmpegError: it cannot be encoded.
    """
    for clip in clips().values():
        source = original(clip, say, given)
        for profile in PROFILES:
            out = streams_dir() / f"{clip.clip_id}-{profile.name}.mp4"
            if not out.is_file():
                say(f"{out.name}: encoding at {profile.width_px}x{profile.height_px} ...")
            encode(source, out, profile, ffmpeg)
    return streams_dir()


def truth(clip: Clip) -> dict[str, Any]:
    """The clip's truth: see docs/samples.md.

    Raises:
        BadInput: there is none, or it has not been made yet.
    """
    folder = catalogue.folder()
    if clip.source == STAGED:
        folder = paths.samples_dir() / "staged" / recipe(catalogue.load()[FOOTAGE].sha256)
    place = folder / f"{clip.clip_id}.truth.json"
    try:
        values: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{place}: {error.strerror}; `gatewatch samples pull` makes what is missing") from error
    return values


def camera_values(camera: SampleCamera) -> dict[str, Any]:
    """The camera as it stands under `cameras:` in YAML."""
    clip = clips()[camera.clip]
    return {
        "name": clip.name,
        "main": {"url": camera.main_url},
        "sub": {"url": camera.sub_url},
        "zones": dict(clip.zones),
        "rules": [dict(rule) for rule in clip.rules],
    }


def configuration(cameras: Sequence[SampleCamera], extra: Mapping[str, Any] | None = None) -> str:
    """A configuration with these cameras, ready for `gatewatch up`; `extra` are further top-level keys."""
    head = "# Written by `gatewatch samples serve --config-out`: the sample cameras with the zones and rules of their truth.\n"
    values = {
        "site": {"name": "示范学校 · Sample school"},
        **(extra or {}),
        "cameras": {camera.camera_id: camera_values(camera) for camera in cameras},
    }
    return head + to_yaml(values)


def camera_list(count: int | None = None) -> list[tuple[str, str]]:
    """(camera id, clip id) of `count` sample cameras: each clip once, then again as campus-2, gate-2, ..."""
    names = list(clips())
    total = len(names) if count is None else count
    return [
        (names[i % len(names)] + (f"-{i // len(names) + 1}" if i >= len(names) else ""), names[i % len(names)])
        for i in range(total)
    ]
