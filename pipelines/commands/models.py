"""`gatewatch models list | pull | build`: where the detector's models come from."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipelines.commands.options import add_config


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("models", help="list, fetch and build the detector's models")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the models of the catalogue, and which are on this machine")
    listing.add_argument("--json", action="store_true", help="one JSON array on standard output")
    listing.set_defaults(run=_list)

    pull = actions.add_parser("pull", help="fetch weights, verified")
    pull.add_argument("names", nargs="*", metavar="WEIGHTS", help="default: all")
    pull.set_defaults(run=_pull)

    build = actions.add_parser("build", help="weights -> ONNX -> OpenVINO INT8, only what is missing or stale")
    build.add_argument("names", nargs="*", metavar="MODEL", help="default: all")
    build.add_argument("--force", action="store_true", help="build even what is up to date")
    build.add_argument("--keep-venv", action="store_true", help="keep the build tools (1.9 GB) for the next build")
    build.add_argument(
        "--video", type=Path, help="calibrate on this video instead of the sample (say so with the model)"
    )
    build.set_defaults(run=_build)

    for action in (listing, pull, build):
        add_config(action)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _list(args: argparse.Namespace) -> int:
    from pipelines.config.model_catalogue import load_catalogue, models_folder
    from pipelines.models.installed import Installed
    from pipelines.paths import default_data_dir

    catalogue = load_catalogue(models_folder())
    own = default_data_dir() / "models"
    rows = []
    for name, recipe in catalogue.models.items():
        record = Installed.read(own / name)
        rows.append(
            {
                "name": name,
                "format": recipe.format,
                "licence": recipe.licence,
                "weights": recipe.weights,
                "classes": recipe.classes,
                "inputs": recipe.inputs,
                "installed": record is not None,
                "path": None if record is None else str(own / name / record.model),
                "agreement": [] if record is None else record.agreement,
            }
        )
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    for row in rows:
        state = row["path"] or "not built: gatewatch models build"
        sys.stdout.write(f"{row['name']:<28}{row['format']:<19}{row['licence']:<12}{state}\n")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from pipelines.clock import SystemClock
    from pipelines.config.model_catalogue import load_catalogue, models_folder
    from pipelines.errors import BadInput
    from pipelines.models.build import weights_folder
    from pipelines.models.fetch import fetch
    from pipelines.paths import default_data_dir

    catalogue = load_catalogue(models_folder())
    for name in args.names or list(catalogue.weights):
        if name not in catalogue.weights:
            raise BadInput(f"no weights {name!r} in the catalogue; it has: {', '.join(catalogue.weights)}")
        path = fetch(catalogue.weights[name], weights_folder(default_data_dir() / "models"), SystemClock(), _say)
        sys.stdout.write(f"{path}\n")
    return 0


def _build(args: argparse.Namespace) -> int:
    from pipelines.clock import SystemClock
    from pipelines.config.model_catalogue import load_catalogue, models_folder
    from pipelines.errors import BadInput
    from pipelines.models.build import Site, build
    from pipelines.models.toolchain import Toolchain
    from pipelines.paths import default_data_dir, samples_dir
    from pipelines.samples import catalogue as samples
    from pipelines.samples.pull import pull

    def sample(name: str) -> Path:
        if args.video is None:
            return pull(samples.load()[name], samples_dir(), _say)
        if not args.video.is_file():
            raise BadInput(f"--video {args.video}: no such file")
        return Path(args.video)

    folder, data = models_folder(), default_data_dir()
    catalogue = load_catalogue(folder)
    toolchain = Toolchain.described_in(folder, data / "build-venv")
    site = Site(data / "models", toolchain, sample, SystemClock(), _say)
    keep = args.keep_venv or toolchain.ready()  # what an earlier --keep-venv kept stays
    try:
        for record in build(catalogue, args.names or list(catalogue.models), site, force=args.force):
            sys.stdout.write(f"{data / 'models' / record.name / record.model}\n")
            for one in record.agreement:
                size = "x".join(map(str, one["input"]))
                sys.stdout.write(f"  {size}: {one['kept']:.1%} of {one['reference']} boxes kept, F1 {one['f1']:.3f}\n")
    finally:
        if not keep and toolchain.folder.exists():
            _say("removing the build tools (1.9 GB); --keep-venv keeps them")
            toolchain.remove()
    return 0
