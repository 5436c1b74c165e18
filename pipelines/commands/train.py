"""`gatewatch train bullying | crowding`: what Gatewatch ships of its own, made anew."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.commands.options import add_config, load_config
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from pipelines.bullying.clips import Clip
    from pipelines.config.schema import Config
    from vision.aggression import FeatureReader
    from vision.aggression_head import Head
    from vision.detection import Detector
    from vision.geometry import FloatArray


def add(commands: Any) -> None:
    """Declare the arguments of `train`."""
    group = commands.add_parser("train", help="train what Gatewatch ships of its own")
    subjects = group.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    text = "the head of the possible-bullying score, from a folder of labelled clips"
    parser = subjects.add_parser("bullying", help=text, description=text)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv (path, label, group)"
    )
    parser.add_argument(
        "--ordinary", type=Path, action="append", default=[], metavar="VIDEO", help="long ordinary video, to count on"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.npz", help="write the head there (default: only measure)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="cross-validations (default: 3)")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="write the reliability diagram there")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_config(parser)
    parser.set_defaults(run=run)
    text = "the head that counts dense crowds, from staged crowds of the people in vtest.avi and from real footage"
    crowds = subjects.add_parser("crowding", help=text, description=text)
    crowds.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with manifest.csv (path, label, group) of real clips",
    )
    crowds.add_argument(
        "--grounds", type=Path, metavar="DIR", help="pictures of empty places, to stage crowds on besides"
    )
    crowds.add_argument("--pictures", type=int, default=1400, metavar="N", help="staged crowds (default: 1400)")
    crowds.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="write the head there")
    add_config(crowds)
    crowds.set_defaults(run=_crowding)


def _crowding(args: argparse.Namespace) -> int:
    """Train and write the head. Raises BadInput for unusable data."""
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        raise BadInput("training needs scikit-learn: pip install 'gatewatch[train]'") from error
    from pipelines.bullying.clips import read_manifest
    from pipelines.crowding.footage import kept_groups, shots
    from pipelines.crowding.learning import fit, gather
    from pipelines.crowding.loading import load_reader, watchful_detector
    from pipelines.crowding.staging import empty_grounds
    from pipelines.samples.library import staged_company

    if args.pictures < 1:
        raise BadInput(f"--pictures {args.pictures}: at least 1")
    data = load_config(args).config.data
    clips = read_manifest(args.data)
    learnt_from = [clip for clip in clips if clip.group not in kept_groups(clips)]
    reader, company = load_reader(data), staged_company(_say)
    grounds = [company.plate, *([] if args.grounds is None else empty_grounds(args.grounds))]
    with progress_bar(len(learnt_from), "clips") as bar:
        seen = list(shots(learnt_from, watchful_detector(data), say=bar))
    with progress_bar(args.pictures + len(seen), "pictures") as bar:
        head = fit(gather(company, grounds, seen, reader, pictures=args.pictures, say=bar))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    head.save(args.out)
    _say(f"{args.out}: {args.out.stat().st_size} bytes; measure it with `gatewatch evaluate crowds`")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def run(args: argparse.Namespace) -> int:
    """Train, print what held-out sources say, write the head. Raises BadInput for unusable data."""
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        raise BadInput("training needs scikit-learn: pip install 'gatewatch[train]'") from error
    import numpy as np

    from pipelines.aggression import load_reader
    from pipelines.bullying import figures, report
    from pipelines.bullying.clips import all_moments, fingerprint, read_manifest
    from pipelines.bullying.learning import FOLDS, cross_validate, fit
    from pipelines.bullying.windows import Windows

    if args.seeds < 1:
        raise BadInput(f"--seeds {args.seeds}: at least 1")
    clips = read_manifest(args.data)
    if len({c.group for c in clips if c.is_fight}) < FOLDS or len({c.group for c in clips if not c.is_fight}) < FOLDS:
        raise BadInput(f"{args.data}: at least {FOLDS} groups with fights and {FOLDS} with ordinary scenes are needed")
    config = load_config(args).config
    detector, reader = plain_detector(config), load_reader(config.data)
    with progress_bar(len(clips), "clips") as bar:
        said = all_moments(clips, detector, reader, report.JUDGED_S, bar, altering=True)
    windows = Windows.gather(clips, said)
    result = report.cross_validated(cross_validate(windows, range(args.seeds)), windows, lengths_s(clips))
    head = fit(windows, np.arange(len(clips)), 0, tuple(sorted(fingerprint(clip.path) for clip in clips)))
    count_on_ordinary(result, args.ordinary, head, detector, reader)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        head.save(args.out)
        result["head"] = {"file": str(args.out), "size_bytes": args.out.stat().st_size}
    if args.plot is not None:
        args.plot.write_text(
            figures.reliability_svg(result["reliability"], f"Clips of held-out sources, {args.seeds} x {FOLDS} folds"),
            encoding="utf-8",
        )
    sys.stdout.write(json.dumps(result) + "\n" if args.json else for_people(result))
    return 0


def lengths_s(clips: Sequence[Clip]) -> FloatArray:
    """How long each clip is, as its file says."""
    import numpy as np

    from pipelines.media.file import open_source

    return np.array([open_source(str(clip.path), "clip", None).duration_s or 0.0 for clip in clips])


def count_on_ordinary(
    result: dict[str, Any], videos: Sequence[Path], head: Head, detector: Detector, reader: FeatureReader
) -> None:
    """Add to a report what long ordinary videos show, and what all distinct ordinary seconds allow to be said."""
    from pipelines.bullying import report
    from pipelines.bullying.clips import moments
    from pipelines.media.file import open_source

    told = {}
    for video in videos:
        seconds = open_source(str(video), "video", None).duration_s or 0.0
        told[video.name] = report.of_ordinary_video(moments(video, detector, reader), head, seconds)
    if told:
        result["ordinary"] = told
    # Of a head's own lessons its silence says nothing.
    clips = result.get("unseen_incidents_within_6_s", result["incidents_within_6_s"])
    result["ordinary_together"] = report.together(clips, told)


def plain_detector(config: Config) -> Detector:
    """The configured detector on one thread, one picture at a time: what it says does not hang on the machine."""
    from pipelines.detector import load_detector

    one = config.detector.model_copy(update={"mode": "latency", "threads": 1})
    return load_detector(config.model_copy(update={"detector": one}))


def progress_bar(total: int, unit: str) -> Any:
    """A context whose value is called after each piece of work; silent where no terminal is."""
    from contextlib import contextmanager

    from tqdm import tqdm

    @contextmanager
    def opened() -> Any:
        with tqdm(total=total, unit=unit, disable=not sys.stderr.isatty()) as bar:
            yield lambda: bar.update(1)

    return opened()


def for_people(result: dict[str, Any]) -> str:
    """The figures, one a line, with their intervals over sources."""
    ranges = result.get("intervals_95", {})
    lines = []
    for name, value in result.items():
        if isinstance(value, int | float | str):
            between = f"   ({ranges[name][0]:.3f} to {ranges[name][1]:.3f} over sources)" if name in ranges else ""
            lines.append(f"{name:38} {value}{between}")
        elif isinstance(value, dict) and name != "intervals_95":
            lines.append(f"{name:38} {json.dumps({k: v for k, v in value.items() if k != 'intervals_95'})}")
        elif name == "reliability":
            lines.append("reliability: score -> share of fights (clips)")
            lines += [f"  {row['mean_score']:.2f} -> {row['share_of_fights']:.2f} ({row['count']})" for row in value]
    return "\n".join(lines) + "\n"
