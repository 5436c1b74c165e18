"""`gatewatch samples list | pull | serve`: sample footage and sample RTSP cameras."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Declare the arguments of `samples`."""
    group = commands.add_parser("samples", help="sample footage and sample RTSP cameras")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="what there is, and whether it is here")
    listing.add_argument("--json", action="store_true", help="one JSON array on standard output")
    listing.set_defaults(run=run_list)

    pulling = actions.add_parser(
        "pull", help="fetch the footage, make the staged clip, encode both; quick when repeated"
    )
    pulling.add_argument("--from", dest="given", type=Path, metavar="FILE", help="a copy of vtest.avi that you have")
    pulling.set_defaults(run=run_pull)

    serving = actions.add_parser("serve", help="sample cameras on the loopback, until Ctrl-C")
    serving.add_argument(
        "--port", type=int, default=8554, help="first port (default 8554; one per two cameras; 0: any)"
    )
    serving.add_argument("--cameras", type=int, metavar="N", help="how many (default: one per clip)")
    serving.add_argument("--config-out", type=Path, metavar="FILE", help="write a configuration with these cameras")
    serving.add_argument("--json", action="store_true", help="one JSON array with the cameras on standard output")
    serving.set_defaults(run=run_serve)

    for parser in (listing, pulling, serving):
        parser.add_argument("-c", "--config", type=Path, metavar="CONFIG", help="for the key `ffmpeg`")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def run_list(args: argparse.Namespace) -> int:
    """List files, clips and streams."""
    from pipelines import paths
    from pipelines.samples import catalogue, library
    from pipelines.samples.encode import PROFILES

    rows: list[dict[str, Any]] = []
    for file in catalogue.load().values():
        place = paths.samples_dir() / file.name
        rows.append(
            {
                "name": file.name,
                "kind": "footage" if file.name == library.FOOTAGE else "picture",
                "what": file.what,
                "path": str(place),
                "here": place.is_file(),
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "licence": file.licence,
                "sources": [f"{source.kind} {source.where}" for source in file.sources],
            }
        )
    for clip in library.clips().values():
        for profile in PROFILES:
            place = library.streams_dir() / f"{clip.clip_id}-{profile.name}.mp4"
            here = place.is_file()
            rows.append(
                {
                    "name": f"{clip.clip_id}-{profile.name}",
                    "kind": "stream",
                    "what": f"{clip.what} {profile.width_px}x{profile.height_px}",
                    "path": str(place),
                    "here": here,
                    "size_bytes": place.stat().st_size if here else None,
                }
            )
    if args.json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return 0
    for row in rows:
        size = f"{row['size_bytes'] / 1e6:6.1f} MB" if row["size_bytes"] is not None else "         "
        sys.stdout.write(f"{row['name']:14} {'here' if row['here'] else '  - '} {size}  {row['what']}\n")
    if not all(row["here"] for row in rows):
        sys.stdout.write("What is not here is fetched or made by: gatewatch samples pull\n")
    return 0


def _prepare(args: argparse.Namespace, given: Path | None) -> Path:
    from pipelines.media.ffmpeg import Ffmpeg
    from pipelines.samples import library

    return library.prepare(Ffmpeg.find(_configured_ffmpeg(args)), _say, given)


def _configured_ffmpeg(args: argparse.Namespace) -> Path | None:
    if args.config is None:
        return None
    from pipelines.config import load

    configured: Path | None = load(args.config).config.ffmpeg
    return configured


def run_pull(args: argparse.Namespace) -> int:
    """Fetch, stage and encode; the pictures of vehicles, which few need, if they can be had."""
    from pipelines.samples import library

    folder = _prepare(args, args.given)
    for name in (library.BUS_PICTURE, library.MOTORCYCLE_PICTURE):
        library.picture(name, _say)
    _say(f"sample cameras' streams are in {folder}")
    return 0


def run_serve(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from pipelines.errors import BadInput
    from pipelines.lifecycle import stop_on_signals
    from pipelines.samples import library
    from pipelines.samples.cameras import SampleCameras

    if args.cameras is not None and args.cameras < 1:
        raise BadInput("--cameras: at least 1")
    folder = _prepare(args, None)
    stop = stop_on_signals()
    with SampleCameras(library.camera_list(args.cameras), folder, args.port) as served:
        cameras = served.cameras
        if args.config_out is not None:
            try:
                args.config_out.write_text(library.configuration(cameras), encoding="utf-8")
            except OSError as error:
                raise BadInput(f"{args.config_out}: {error.strerror}") from error
        if args.json:
            rows = [{"camera": c.camera_id, "clip": c.clip, "main": c.main_url, "sub": c.sub_url} for c in cameras]
            sys.stdout.write(json.dumps(rows) + "\n")
        else:
            for camera in cameras:
                sys.stdout.write(f"{camera.camera_id:12} main {camera.main_url}\n{'':12} sub  {camera.sub_url}\n")
        sys.stdout.flush()
        served.run(stop)
    return 0
