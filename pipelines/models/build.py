"""Weights -> ONNX -> OpenVINO INT8, or a describer: only what is missing or stale, measured first, whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.clock import Clock
from pipelines.config.model_catalogue import Catalogue, Recipe
from pipelines.errors import BadInput, Unavailable
from pipelines.models.fetch import Say, fetch, sha256_of
from pipelines.models.footage import spread_pictures, write_calibration
from pipelines.models.installed import Installed
from pipelines.models.quality import compare, refuse_unless_good
from pipelines.models.toolchain import Toolchain


@dataclass(frozen=True, slots=True)
class Site:
    """Where the work is done: `models` is the folder of installed models, `sample` gives the path of sample footage."""

    models: Path
    toolchain: Toolchain
    sample: Callable[[str], Path]
    clock: Clock
    say: Say


def build(catalogue: Catalogue, names: list[str], site: Site, *, force: bool = False) -> list[Installed]:
    """Make sure that the models `names` are installed and made from what the catalogue says now.

    A model that others are measured against is built first. The build environment is left as it is: the caller removes
    it if it wants to.

    Raises:
        BadInput: an unknown model, or footage that cannot be used.
        Unavailable: no network or no room.
        ModelRefused: the model lost too many boxes.
    """
    try:
        site.models.mkdir(parents=True, exist_ok=True)
        with _alone(site.models, site.say):
            return [_build_one(catalogue, name, site, force) for name in _in_order(catalogue, names)]
    except OSError as error:
        raise Unavailable(f"{error.filename or site.models} cannot be written: {error.strerror or error}") from error


def weights_folder(models: Path) -> Path:
    """Where fetched weights are kept."""
    return models / "weights"


def _in_order(catalogue: Catalogue, names: list[str]) -> list[str]:
    ordered: list[str] = []
    for name in names:
        quantisation = catalogue.recipe(name).quantisation
        needed = [name] if quantisation is None else [quantisation.reference, name]
        ordered += [each for each in needed if each not in ordered]
    return ordered


def _build_one(catalogue: Catalogue, name: str, site: Site, force: bool) -> Installed:
    recipe = catalogue.recipe(name)
    target = site.models / name
    made_from = _made_from(catalogue, recipe, site)
    key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    present = Installed.read(target)
    if present is not None and present.inputs_key == key and not force and not present.damaged(target):
        return present
    site.say(f"building {name}" + ("" if present is None else ": what it is made from has changed" * (not force)))
    weights = fetch(catalogue.weights[recipe.weights], weights_folder(site.models), site.clock, site.say)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=site.models) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        step = {"onnx": _export, "openvino-int8": _quantise, "openvino-features": _describe}[recipe.format]
        model, tools, measured = step(name, recipe, weights, made, Path(temporary), site)
        record = Installed(
            name=name,
            model=model.name,
            licence=recipe.licence,
            inputs_key=key,
            files={path.name: sha256_of(path) for path in sorted(made.iterdir())},
            made_from=made_from,
            tools=tools,
            agreement=measured,
        )
        record.write(made)
        _install(made, target)
    size = sum((target / file).stat().st_size for file in record.files)
    site.say(f"{name}: installed in {target} ({size / 1e6:.1f} MB)")
    return record


Made = tuple[Path, dict[str, str], list[dict[str, Any]]]


def _describe(_name: str, _recipe: Recipe, weights: Path, made: Path, scratch: Path, site: Site) -> Made:
    """Needs neither torch nor the build environment."""
    site.say("  writing the network down for OpenVINO")
    out = made / "model.xml"
    return out, site.toolchain.run_here([str(weights), str(out)], scratch, site.say), []


def _export(_name: str, _recipe: Recipe, weights: Path, made: Path, scratch: Path, site: Site) -> Made:
    site.toolchain.prepare(site.say)
    site.say("  exporting to ONNX")
    # Ultralytics writes beside the weights: give it a copy.
    copy = Path(shutil.copy(weights, scratch))
    out = made / "model.onnx"
    return out, site.toolchain.run(["export", str(copy), str(out)], scratch, site.say), []


def _quantise(name: str, recipe: Recipe, _weights: Path, made: Path, scratch: Path, site: Site) -> Made:
    how, limit = recipe.quantisation, recipe.agreement
    if how is None:
        raise BadInput(f"{name}: the catalogue says nothing about its quantisation")
    site.toolchain.prepare(site.say)
    video = site.sample(how.sample)
    reference = site.models / how.reference / "model.onnx"
    out = made / "model.xml"
    site.say(f"  quantising to INT8, calibrated on {how.pictures} pictures of {video.name} (about 20 s)")
    write_calibration(spread_pictures(video, how.pictures, phase=0.0), how.inputs, scratch / "pictures")
    step = ["quantise", str(reference), str(out), str(scratch / "pictures")]
    tools = site.toolchain.run(step, scratch, site.say)
    if limit is None:
        return out, tools, []
    site.say(
        f"  comparing with {how.reference} on {limit.pictures} other pictures "
        f"(boxes paired one to one, same class, IoU >= {limit.iou:g}, confidence >= {limit.confidence:g} in both)"
    )
    measured = compare(reference, out, spread_pictures(video, limit.pictures, phase=0.5), limit)
    for one in measured:
        site.say(f"    {one}")
    refuse_unless_good(name, measured, limit)
    return out, tools, [one.as_json() for one in measured]


def _made_from(catalogue: Catalogue, recipe: Recipe, site: Site) -> dict[str, Any]:
    """Everything that the bytes of a model depend on."""
    made_from: dict[str, Any] = {
        "catalogue": recipe.model_dump(mode="json", exclude={"card", "inputs", "licence", "classes"}),
        "weights": catalogue.weights[recipe.weights].sha256,
    }
    tools = site.toolchain
    if recipe.format == "openvino-features":
        return made_from | {"recipe": sha256_of(tools.features), "tools": [f"openvino=={version('openvino')}"]}
    made_from |= {"recipe": sha256_of(tools.recipe), "tools": list(tools.requirements)}
    if recipe.quantisation is not None:
        made_from["sample"] = sha256_of(site.sample(recipe.quantisation.sample))
    return made_from


def _install(made: Path, target: Path) -> None:
    """Put the folder in its place; what was there goes away only after the new one is complete."""
    old = made.with_name("old")
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


@contextmanager
def _alone(models: Path, say: Say) -> Iterator[None]:
    """One build at a time in this folder; what a killed one left is removed."""
    with (models / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of models to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(lock.name)
        for left in models.glob(".build-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
