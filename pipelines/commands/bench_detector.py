"""`gatewatch bench detector`: what one picture costs, in processor time."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.commands.options import add_config, load_config

if TYPE_CHECKING:
    from pipelines.bench.detector import Cost

_SIZES: Final = "256x448,384x512,384x640,480x640,640x640"


def add_detector(subjects: Any) -> None:
    """Declare `detector` among the subjects of `gatewatch bench`."""
    about = "processor time per picture, by model, input size and mode"
    detector = subjects.add_parser("detector", help=about, description=about)
    detector.add_argument("--models", default="yolov8n-fp32,yolov8n-int8", help="names or files (default: %(default)s)")
    detector.add_argument("--sizes", default=_SIZES, help="HEIGHTxWIDTH,... (default: %(default)s)")
    detector.add_argument("--backend", choices=("openvino", "onnxruntime"), default="openvino")
    detector.add_argument("--pictures", type=int, default=40, help="of the footage, per run (default: %(default)s)")
    detector.add_argument("--video", type=Path, help="the footage (default: the sample vtest.avi)")
    detector.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_config(detector)
    detector.set_defaults(run=_detector)


def _detector(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from pipelines.bench.detector import detector_costs, gate_cost_ms
    from pipelines.detector import find, use_one_opencv_thread
    from pipelines.errors import BadInput, GatewatchError
    from pipelines.models.footage import spread_pictures
    from pipelines.paths import samples_dir
    from vision.detection import DetectorError
    from vision.detectors.settings import ModelError

    if args.pictures < 4:
        raise BadInput(f"--pictures {args.pictures}: at least 4 are needed")
    sizes = []
    for text in args.sizes.split(","):
        match = re.fullmatch(r"(\d+)x(\d+)", text.strip())
        if match is None:
            raise BadInput(f"--sizes: {text!r} is not HEIGHTxWIDTH")
        sizes.append((int(match[1]), int(match[2])))
    data = load_config(args).config.data
    models = {label: path for path, label in (find(name.strip(), data) for name in args.models.split(","))}
    video = args.video or samples_dir() / "vtest.avi"
    if not video.is_file():
        raise BadInput(f"{video} is not there: run `gatewatch samples pull`, or name a --video")
    pictures = spread_pictures(video, args.pictures, phase=0.5)
    use_one_opencv_thread()
    costs: list[Cost] = []
    try:
        for cost in detector_costs(models, sizes, pictures, backend=args.backend):
            costs.append(cost)
            if not args.json:
                _line(cost, len(costs) == 1)
    except ModelError as error:
        raise BadInput(f"{error.key}: {error}") from error
    except DetectorError as error:
        raise GatewatchError(str(error)) from error
    gate_ms = gate_cost_ms(pictures)
    picture = f"{pictures[0].shape[1]}x{pictures[0].shape[0]}"
    if args.json:
        rows = [asdict(cost) for cost in costs]
        result = {"backend": args.backend, "picture": picture, "detector": rows, "motion_gate_cpu_ms": gate_ms}
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        sys.stdout.write(f"\nmotion gate on {picture}: {gate_ms:.2f} ms of processor time per picture\n")
        _ratios(costs)
    return 0


def _line(cost: Cost, first: bool) -> None:
    if first:
        sys.stdout.write(f"{'input':<10}{'model':<16}{'mode':<12}{'CPU ms':>8}{'wall ms':>9}{'boxes':>7}\n")
    size = f"{cost.input[0]}x{cost.input[1]}"
    sys.stdout.write(
        f"{size:<10}{cost.model:<16}{cost.mode:<12}{cost.cpu_ms:>8.1f}{cost.wall_ms:>9.1f}{cost.boxes:>7.1f}\n"
    )
    sys.stdout.flush()


def _ratios(costs: list[Cost]) -> None:
    """How many times cheaper the second model is, where two were measured."""
    names = list(dict.fromkeys(cost.model for cost in costs))
    if len(names) != 2:
        return
    cpu_ms = {(cost.input, cost.mode, cost.model): cost.cpu_ms for cost in costs}
    for size, mode in dict.fromkeys((cost.input, cost.mode) for cost in costs):
        ratio = cpu_ms[size, mode, names[0]] / cpu_ms[size, mode, names[1]]
        sys.stdout.write(f"{size[0]}x{size[1]} {mode}: {names[1]} costs {ratio:.1f} times less than {names[0]}\n")
