"""Makes the staged clip of the sample camera `gate`, once, and again only when its recipe has changed."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from pipelines.media.file import FileSource
from pipelines.media.writing import write_video
from pipelines.samples.staged.cast import Company, hire
from pipelines.samples.staged.gate import gate
from pipelines.samples.staged.truth import TruthWriter

_RECIPE: Final = ("__init__", "plate", "cast", "moves", "stage", "weather", "scene", "truth", "gate", "making")
#: Clips of other versions of the recipe that are kept.
_KEPT: Final = 2


def company_of(footage: Path) -> Company:
    """The company out of vtest.avi; about a second of work. Raises BadInput when it cannot be read."""
    return hire(frame.pixels for frame in FileSource(str(footage), "footage"))


def recipe(footage_sha256: str) -> str:
    """A short hash of all that the clip depends on: the footage and the code that stages it."""
    digest = hashlib.sha256(footage_sha256.encode())
    for name in _RECIPE:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()[:12]


def make_gate(footage: Path, footage_sha256: str, cache: Path) -> Path:
    """The folder with gate.mkv, gate.mot.txt and gate.truth.json, under `cache`. Quick when it is there already.

    Raises:
        BadInput: the footage cannot be read.
    """
    folder = cache / recipe(footage_sha256)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    scene = gate(company_of(footage))
    truth = TruthWriter(scene)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=cache) as temporary:
        making = Path(temporary) / "clip"
        making.mkdir()
        write_video(truth.pixels(scene.frames()), making / "gate.mkv", fps=int(scene.fps))
        truth.write(making)
        # Another process may have made the same meanwhile; the first stays.
        with contextlib.suppress(FileExistsError, OSError):
            making.rename(folder)
    old = sorted((other for other in cache.iterdir() if other != folder and not other.name.startswith(".")), key=_age)
    for other in old[_KEPT:]:
        shutil.rmtree(other, ignore_errors=True)
    return folder


def _age(path: Path) -> float:
    return -path.stat().st_mtime
