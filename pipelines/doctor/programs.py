"""What must be installed beside the packages: ffmpeg, the model, the sample footage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pipelines.config.model_catalogue import models_folder
from pipelines.doctor.findings import Finding, fail, ok, warn
from pipelines.errors import BadInput, GatewatchError
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.models.fetch import sha256_of
from pipelines.models.installed import Installed, find_model

#: What the recorder, clips, samples and evidence need of ffmpeg, by the list that names it.
NEEDED: Final = {
    "demuxers": frozenset({"rtsp", "concat", "mov"}),
    "muxers": frozenset({"mp4", "segment", "nut", "null"}),
    "encoders": frozenset({"libx264", "aac"}),
    "decoders": frozenset({"h264", "hevc"}),
    "protocols": frozenset({"file", "pipe", "tcp"}),
}
#: The programs of the folder `models/` by which models are made.
RECIPES: Final = ("recipe.py", "features.py")


def check_compiled(modules: Mapping[str, bool]) -> Finding:
    """`modules`: which parts of `vision.native` are compiled and used."""
    missing = sorted(name for name, there in modules.items() if not there)
    if not missing:
        return ok("Compiled part", f"all {len(modules)} modules of vision/native")
    mend = "apt-get install gcc python3-dev, then pip install -e . again (and do not set GATEWATCH_NATIVE=0)"
    said = f"without {', '.join(missing)}: everything works, and a camera costs more processor time"
    return warn("Compiled part", said, mend)


def check_ffmpeg(configured: Path | None) -> Finding:
    mend = (
        "leave the key ffmpeg out to use the one in the package imageio-ffmpeg, or apt-get install ffmpeg and name it"
    )
    try:
        ffmpeg = Ffmpeg.find(configured)
        said = f"{ffmpeg.version()} ({ffmpeg.binary})"
        missing = [
            f"{kind} {', '.join(sorted(lacking))}"
            for kind, needed in NEEDED.items()
            if (lacking := needed - ffmpeg.features(kind))
        ]
    except GatewatchError as error:
        return fail("ffmpeg", str(error), mend)
    if missing:
        return fail("ffmpeg", f"{said} lacks {'; '.join(missing)}", mend)
    return ok("ffmpeg", said)


def check_model(name: str, backend: str, folders: Iterable[Path]) -> Finding:
    """A name is looked for in the model folders; a path must exist."""
    if "/" in name or Path(name).suffix:
        if Path(name).exists():
            return ok("Model", name)
        return fail("Model", f"{name} is not there", "name another in detector.model, or put the file there")
    looked = tuple(folders)
    try:
        file, record = find_model(name, looked)
    except BadInput:
        places = " or ".join(str(folder) for folder in looked)
        return fail("Model", f"{name} is not in {places}", "gatewatch models build (or make setup)")
    damaged = record.damaged(file.parent)
    if damaged:
        said = f"{file.parent / damaged[0]} is damaged: it has other bytes than were built"
        return fail("Model", said, "gatewatch models build (or make setup), which makes it anew")
    if _of_another_recipe(record):
        said = f"{name} ({file.parent}) is of another version's recipe: it works, and is not what the docs measured"
        return warn("Model", said, "gatewatch models build (or make setup), then start the workers anew")
    return ok("Model", f"{name} for {backend} ({file.parent})")


def _of_another_recipe(record: Installed) -> bool:
    """False too where there is no checkout, or the record does not say: then nobody can know."""
    made_by = record.made_from.get("recipe")
    try:
        folder = models_folder()
        return made_by is not None and made_by not in {sha256_of(folder / name) for name in RECIPES}
    except (BadInput, OSError):
        return False


def check_head(without: str, load: Callable[[], object]) -> Iterator[Finding]:
    """Nothing where `load` can load the head of a rule; `without` says what is not done while it cannot."""
    try:
        load()
    except BadInput as error:
        yield fail("Model", f"{error} ({without})", "remove the file, or train it anew, and start the workers anew")


def check_samples(folder: Path) -> Iterator[Finding]:
    """Only the demonstration and calibration need them."""
    streams = sorted(folder.glob("streams/*.mp4"))
    if streams:
        yield ok("Samples", f"{len(streams)} streams in {folder / 'streams'}")
    else:
        yield warn(
            "Samples", f"none in {folder}: the demonstration cannot run", "gatewatch samples pull (or make setup)"
        )


def opencv_draws_chinese() -> bool:
    """Draw two different characters and look: without a glyph both become the same box, or nothing, without an error."""
    try:
        import cv2
        import numpy as np

        face = cv2.FontFace("uni")
        pictures = []
        for text in ("校", "门"):
            picture = np.zeros((48, 48, 3), np.uint8)
            cv2.putText(picture, text, (4, 40), (255, 255, 255), face, 32, 400)
            pictures.append(picture)
    except (ImportError, AttributeError, TypeError, cv2.error):
        return False
    return bool(pictures[0].any() and pictures[1].any() and (pictures[0] != pictures[1]).any())
