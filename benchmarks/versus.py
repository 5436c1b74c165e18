"""Gatewatch beside other pipelines: the same stream, the same rate, in one run, in processor seconds per camera and second,
with the people that each finds: `make bench-peers`, or

    .venv/bin/python benchmarks/versus.py --peers .venv-peers/bin/python --data DIR [--json]

Everybody gets the sub stream of `gatewatch bench cameras` (768x432, 12.5 pictures a second), decodes all of it and looks at
five pictures a second. Each other pipeline is one process with one camera, which is best for it; Gatewatch is its worker with
eight cameras, everything that it does besides (rules, saved state, messages) included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from pipelines.bench import cameras, seeing
from pipelines.bench.footage import sub_stream
from pipelines.bench.trial import Trial, describe
from pipelines.config.schema import Config
from pipelines.detector import find, load_detector
from pipelines.errors import GatewatchError
from pipelines.paths import default_data_dir, samples_dir

_HERE: Final = Path(__file__).resolve().parent
_CAMERAS: Final = 8
_KINDS: Final = ("illegal_parking", "crowding")
_EXPORT: Final = (
    "import sys; from ultralytics import YOLO; YOLO(sys.argv[1]).export(format='openvino', imgsz=int(sys.argv[2]))"
)

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="Python of the peers' environment; left out: Gatewatch alone")
    truth = os.environ.get("GATEWATCH_DATA", "../shared/data")
    parser.add_argument(
        "--data", type=Path, default=Path(truth), help="folder with the truth (default $GATEWATCH_DATA)"
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="of the stream, for Gatewatch (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    args = parser.parse_args()
    try:
        report = measure(args.peers, args.data, args.seconds)
    except GatewatchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if args.json else _table(report))
    return 0


def measure(peers: Path | None, data: Path, seconds: float) -> dict[str, Any]:
    """`rows` with name, CPU ms per camera and second, recall, precision and count error; `about` the peers' versions."""
    stream = sub_stream(samples_dir() / "vtest.avi", 1.0, samples_dir() / "bench")
    truth = seeing.truth_on_stream(data)
    pictures = seeing.stream_pictures(stream, max(truth))
    rows: list[Row] = []
    about: dict[str, str] = {}

    def add(name: str, cpu_ms: float | None, found: list[seeing.Found]) -> None:
        row: Row = {"name": name, "cpu_ms_per_camera_s": None if cpu_ms is None else round(cpu_ms, 1)}
        if found:
            score = seeing.score(truth, found)
            row |= {"recall": round(score.recall, 4), "precision": round(score.precision, 4)}
            row |= {"count_error": round(score.mae, 3), "pictures": score.pictures}
        rows.append(row)
        sys.stderr.write(f"{name}: done\n")

    config = Config()
    wanted = config.detector
    detector = load_detector(config)
    trial = Trial(_CAMERAS, seconds, stream, 1.0, own_clock=True, kinds=_KINDS)
    cost = cameras.run(trial, config)
    add("Gatewatch", 1e3 * cost["per_camera_cpu_s"], seeing.as_a_worker(detector, wanted.input, pictures, _CAMERAS))
    reference = config.model_copy(
        update={"detector": wanted.model_copy(update={"model": "yolov8n-fp32", "input": (640, 640)})}
    )
    add("FP32 640 on every picture", None, [seeing.on_every_picture(load_detector(reference), pictures)])
    if peers is not None:
        with tempfile.TemporaryDirectory(prefix="gatewatch-versus-") as name:
            for title, arguments in _contenders(peers, Path(name), config):
                told = _peer(peers, ["--stream", str(stream), "--pictures", str(len(pictures)), *arguments])
                about |= told["about"]
                found = {int(number): boxes for number, boxes in told["found"].items()}
                people = [] if arguments[0] == "decode" else [found]
                add(title, 1e3 * told["cpu_s"] / told["stream_s"], people)
    return {"rows": rows, "about": about, "cameras": _CAMERAS, "detector": describe(config)}


def _contenders(peers: Path, folder: Path, config: Config) -> list[tuple[str, list[str]]]:
    weights = default_data_dir() / "models" / "weights" / "yolov8n.pt"
    ours, _ = find(config.detector.model, config.data)
    every = [
        ("decoding alone", ["decode"]),
        ("supervision + trackers, our detector", ["supervision", "--model", str(ours), "--root", str(_HERE.parent)]),
    ]
    for size in (640, 448):
        own = folder / str(size) / "yolov8n.pt"
        own.parent.mkdir()
        shutil.copyfile(weights, own)
        _run([str(peers), "-c", _EXPORT, str(own), str(size)])
        exported = own.with_name("yolov8n_openvino_model")
        sizes = ["--size", str(size)]
        every += [
            (f"Ultralytics track, torch, {size}", ["ultralytics", "--model", str(own), *sizes]),
            (f"Ultralytics track, OpenVINO, {size}", ["ultralytics", "--model", str(exported), *sizes]),
        ]
    return every


def _peer(peers: Path, arguments: list[str]) -> dict[str, Any]:
    kind = next(word for word in arguments if word in ("decode", "supervision", "ultralytics"))
    rest = [word for word in arguments if word != kind]
    told: dict[str, Any] = json.loads(_run([str(peers), str(_HERE / "versus_peer.py"), kind, *rest]).splitlines()[-1])
    return told


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GatewatchError(f"{' '.join(command[:2])} failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return done.stdout


def _table(report: dict[str, Any]) -> str:
    rows: list[Row] = report["rows"]
    ours = rows[0]["cpu_ms_per_camera_s"]
    lines = [f"{'':<40}{'CPU ms':>8}{'x ours':>8}{'recall':>8}{'prec.':>8}{'count':>8}"]
    for row in rows:
        cost = row["cpu_ms_per_camera_s"]
        cells = ["", ""] if cost is None else [f"{cost:.1f}", f"{cost / ours:.1f}"]
        seen = [f"{row[key]:.3f}" if key in row else "" for key in ("recall", "precision", "count_error")]
        lines.append(f"{row['name']:<40}" + "".join(f"{cell:>8}" for cell in [*cells, *seen]))
    versions = ", ".join(f"{name} {version}" for name, version in report["about"].items())
    return "\n".join(
        [*lines, f"per camera and second; {report['detector']}, {report['cameras']} cameras; {versions}", ""]
    )


if __name__ == "__main__":
    sys.exit(main())
