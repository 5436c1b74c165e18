"""`gatewatch evaluate tracking | crowding | crowds | parking | bullying`: how good it is, against a truth."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipelines.config.schema import Config

#: Still pictures are large and nobody waits for them: the whole picture at its full resolution.
_STILL_INPUT: Final = (736, 1280)


def add(commands: Any) -> None:
    """Declare the arguments of `evaluate`."""
    group = commands.add_parser(
        "evaluate", help="measure tracking, counting, parking and possible bullying against a truth"
    )
    subjects = group.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    about = {
        "crowding": "people counted in vtest.avi: mean absolute error, bias, recall, precision; incidents on video with truth",
        "tracking": "people followed in vtest.avi: HOTA, MOTA, IDF1",
        "parking": "incidents on video with truth: precision, recall, delays, false alarms; cars outside the bays on still "
        "pictures in PKLot's layout: precision, recall",
    }
    for name, text in about.items():
        parser = subjects.add_parser(name, help=text, description=text)
        parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the truth")
        if name != "parking":
            parser.add_argument("--video", type=Path, metavar="FILE", help="the footage (default: the pulled sample)")
        if name != "tracking":
            parser.add_argument(
                "--fps", type=_positive, default=5.0, metavar="N", help="pictures a second analysed for incidents (5)"
            )
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
        parser.add_argument(
            "-c", "--config", type=Path, metavar="CONFIG", help="for its `detector:`, and cameras that truth files name"
        )
        parser.set_defaults(run=run)
    text = "the suite of staged scenes: every incident once, with the right times, and no other"
    staged = subjects.add_parser("staged", help=text, description=text)
    staged.add_argument("--scenes", metavar="A,B", help="only these, by name")
    staged.add_argument("--json", action="store_true", help="one JSON object on standard output")
    staged.add_argument("-c", "--config", type=Path, metavar="CONFIG", help="for its `detector:` section")
    staged.set_defaults(run=run_staged)
    text = "dense crowds, staged of people whom nothing was learnt from: error and bias of the count by density"
    crowds = subjects.add_parser("crowds", help=text, description=text)
    crowds.add_argument(
        "--grounds", type=Path, metavar="DIR", help="pictures of empty places, to stage crowds on besides"
    )
    crowds.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with manifest.csv: real footage of sources not learnt from besides",
    )
    crowds.add_argument("--each", type=int, default=12, metavar="N", help="crowds of each density (default: 12)")
    crowds.add_argument("--json", action="store_true", help="one JSON object on standard output")
    crowds.add_argument("-c", "--config", type=Path, metavar="CONFIG", help="for its `detector:` section")
    crowds.set_defaults(run=_crowds)
    text = (
        "ordinary footage, on which whatever is raised is false: distinct hours and the 95 % bound per camera and day"
    )
    calm = subjects.add_parser("ordinary", help=text, description=text)
    calm.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with pklot/empty and fight-dev")
    calm.add_argument("--json", action="store_true", help="one JSON object on standard output")
    calm.add_argument("-c", "--config", type=Path, metavar="CONFIG", help="for its `detector:` section")
    calm.set_defaults(run=run)
    text = (
        "labelled clips (manifest.csv: path, label, group): accuracy, recall, precision, AUC with intervals over groups"
    )
    parser = subjects.add_parser("bullying", help=text, description=text)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    parser.add_argument(
        "--ordinary", type=Path, action="append", default=[], metavar="VIDEO", help="long ordinary video, to count on"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="write the reliability diagram there")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("-c", "--config", type=Path, metavar="CONFIG", help="for its `detector:` section")
    parser.set_defaults(run=_bullying)


def _bullying(args: argparse.Namespace) -> int:
    """Judge the head that is in use on a folder of clips."""
    from pipelines.aggression import load_head, load_reader
    from pipelines.bullying import figures, report
    from pipelines.bullying.clips import all_moments, read_manifest
    from pipelines.bullying.windows import Windows
    from pipelines.commands.options import load_config
    from pipelines.commands.train import count_on_ordinary, for_people, lengths_s, plain_detector, progress_bar

    clips = read_manifest(args.data)
    config = load_config(args).config
    detector, reader = plain_detector(config), load_reader(config.data)
    head = load_head(config.data, reader)
    with progress_bar(len(clips), "clips") as bar:
        windows = Windows.gather(clips, all_moments(clips, detector, reader, report.JUDGED_S, bar))
    result = report.judged(head, clips, windows, lengths_s(clips))
    count_on_ordinary(result, args.ordinary, head, detector, reader)
    if args.plot is not None:
        args.plot.write_text(figures.reliability_svg(result["reliability"], "Clips"), encoding="utf-8")
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n" if args.json else for_people(result))
    return 0


def _crowds(args: argparse.Namespace) -> int:
    """Count staged crowds."""
    from pipelines.bullying.clips import read_manifest
    from pipelines.config import load
    from pipelines.crowding.footage import kept_groups, shots
    from pipelines.crowding.judging import judge, on_footage, table
    from pipelines.crowding.loading import load_model, watchful_detector
    from pipelines.crowding.staging import empty_grounds
    from pipelines.detector import load_detector
    from pipelines.errors import BadInput
    from pipelines.samples.library import staged_company

    if args.each < 1:
        raise BadInput(f"--each {args.each}: at least 1")
    config = load(_config_path(args)).config
    detector, crowds = load_detector(config), load_model(config.data)
    company = staged_company(_say)
    grounds = {"vtest.avi": [company.plate]}
    if args.grounds is not None:
        grounds[args.grounds.name] = empty_grounds(args.grounds)
    rows = list(judge(company, grounds, detector, crowds, each=args.each))
    result: dict[str, Any] = {"detector": detector.name}
    result |= {f"by_{by}": table(rows, by) for by in ("density", "height_m", "tall_px")}
    if args.data is not None:
        clips = read_manifest(args.data)
        kept = [clip for clip in clips if clip.group in kept_groups(clips)]
        result["footage"] = on_footage(shots(kept, watchful_detector(config.data)), crowds)
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n" if args.json else _for_people(result))
    return 0


def run(args: argparse.Namespace) -> int:
    """Measure one subject and print it."""
    from pipelines import evaluating
    from pipelines.commands.evaluate_footage import with_incidents
    from pipelines.config import load
    from pipelines.crowding.loading import any_crowds
    from pipelines.detector import load_detector
    from pipelines.errors import BadInput
    from pipelines.evaluating_ordinary import ordinary

    if not args.data.is_dir():
        raise BadInput(f"--data {args.data}: no such folder")
    config = load(_config_path(args)).config
    if args.subject == "parking":
        pictures = _on_pictures(args.data, config) if evaluating.has_stills(args.data) else None
        result = with_incidents("parking", args.data, config, args.fps, pictures)
    elif args.subject == "crowding":
        counts = None
        if evaluating.has_people(args.data):
            counts = evaluating.crowding(args.data, args.video, load_detector(config))
        result = with_incidents("crowding", args.data, config, args.fps, counts)
    elif args.subject == "ordinary":
        result = ordinary(args.data, load_detector(config), any_crowds(config, _say))
    else:
        result = evaluating.tracking(args.data, args.video, load_detector(config))
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n" if args.json else _for_people(result))
    return 0


def _on_pictures(data: Path, config: Config) -> dict[str, Any]:
    """Cars outside the bays, at the size that still pictures are worth."""
    from pipelines import evaluating
    from pipelines.detector import load_detector

    still = config.detector.model_copy(update={"input": _STILL_INPUT, "confidence": evaluating.STILL_CONFIDENCE})
    return evaluating.parking(data, load_detector(config.model_copy(update={"detector": still})))


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 60:
        raise argparse.ArgumentTypeError("expected a number above 0 and up to 60")
    return value


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def run_staged(args: argparse.Namespace) -> int:
    """Play the suite; 1 when a scene is not right that is not known to be unsolved."""
    from pipelines.config import load
    from pipelines.crowding.loading import any_crowds
    from pipelines.detector import load_detector
    from pipelines.errors import BadInput
    from pipelines.evaluating_staged import suite
    from pipelines.samples.library import staged_suite

    there = staged_suite(_say)
    scenes, skipped = list(there.scenes), dict(there.skipped)
    if args.scenes is not None:
        wanted = [name.strip() for name in args.scenes.split(",")]
        unknown = sorted(set(wanted) - {scene.name for scene in scenes} - set(skipped))
        if unknown:
            known = ", ".join([*(scene.name for scene in scenes), *skipped])
            raise BadInput(f"--scenes: no scene {unknown[0]!r}; there are {known}")
        scenes = [scene for scene in scenes if scene.name in wanted]
        skipped = {name: why for name, why in skipped.items() if name in wanted}
    config = load(_config_path(args)).config
    detector = load_detector(config)
    rows = []
    for row in suite(scenes, detector, any_crowds(config, _say)):
        rows.append(row)
        if not args.json:
            sys.stdout.write(_line(row, header=len(rows) == 1))
            sys.stdout.flush()
    if args.json:
        values = {"detector": detector.name, "scenes": rows, "skipped": skipped}
        sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{name:26}skipped: {why}\n" for name, why in skipped.items())
    return 0 if all(row["right"] or row["not_solved"] for row in rows) else 1


_COLUMNS: Final = (
    "true",
    "reported",
    "matched",
    "duplicates",
    "false_alarms",
    "wrong_vehicle",
    "opening_delay_s",
    "closing_delay_s",
)


def _line(row: dict[str, Any], header: bool) -> str:
    titles = f"{'scene':26}{'':7}" + "".join(f"{name:>17}" for name in _COLUMNS) + "\n" if header else ""
    verdict = "ok" if row["right"] else "WRONG"
    values = "".join(f"{'-' if row[name] is None else row[name]!s:>17}" for name in _COLUMNS)
    reason = f"  ({row['not_solved']})" if row["not_solved"] else ""
    return f"{titles}{row['scene']:26}{verdict:7}{values}{reason}\n"


def _config_path(args: argparse.Namespace) -> Path | None:
    default = Path("gatewatch.yaml")
    return args.config or (default if default.is_file() else None)


def _for_people(result: dict[str, Any]) -> str:
    from pipelines.commands.evaluate_footage import text

    lines = [f"{name:16} {value}" for name, value in result.items() if not isinstance(value, list | dict)]
    for rows in result.values():
        if isinstance(rows, list) and rows:
            lines.append("")
            lines.append("  ".join(f"{key:>12}" for key in rows[0]))
            lines += ["  ".join(f"{value!s:>12}" for value in row.values()) for row in rows]
    if "incidents" in result:
        lines += ["", text(result["incidents"])]
    return "\n".join(lines) + "\n"
