"""Whether the worker's memory grows: many cameras for half an hour of their streams, and the slope of what is resident.

    .venv/bin/python benchmarks/soak.py [--cameras 8] [--minutes 30] [--activity 1.0] [--rules A,B] [--own-clock]

In real time, or with --own-clock as fast as the processor allows and with no picture lost, on a busy machine too.

Tracks are kept, as on a site; what makes chunks of them is another process, and is said apart.

Prints megabytes over time and the slope of a straight line through all but the first fifth, with its standard error; ends
with 1 when the slope is more than half a megabyte a minute and more than three of its errors.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

import numpy as np

from pipelines.bench import cameras
from pipelines.bench.footage import sub_stream
from pipelines.bench.processor import resident_mb
from pipelines.config.schema import Config
from pipelines.errors import GatewatchError
from pipelines.paths import samples_dir

_EVERY_S: Final = 5.0
_MOST_MB_PER_MINUTE: Final = 0.5


def slope(at_s: list[float], mb: list[float]) -> tuple[float, float]:
    """Megabytes per minute and its standard error, of all but the first fifth. Raises ValueError below ten samples."""
    first = len(at_s) // 5
    x, y = np.array(at_s[first:]) / 60, np.array(mb[first:])
    if len(x) < 10:
        raise ValueError(f"{len(x)} samples are too few for a slope")
    away = x - x.mean()
    rise = float(away @ y / (away @ away))
    rest = y - y.mean() - rise * away
    return rise, float(np.sqrt(rest @ rest / (len(x) - 2) / (away @ away)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--activity", type=float, default=1.0)
    parser.add_argument(
        "--rules", default="illegal_parking,crowding", metavar="A,B", help="in force (default %(default)s)"
    )
    parser.add_argument("--own-clock", action="store_true", help="time stands still while the worker works")
    args = parser.parse_args()
    at_s: list[float] = []
    mb: list[float] = []

    def sample(passed_s: float) -> None:
        if passed_s < _EVERY_S * (len(mb) + 1):
            return
        at_s.append(passed_s)
        mb.append(resident_mb())
        if len(mb) % 12 == 0:
            sys.stdout.write(f"{at_s[-1] / 60:6.1f} min {mb[-1]:8.1f} MB\n")
            sys.stdout.flush()

    try:
        stream = sub_stream(samples_dir() / "vtest.avi", args.activity, samples_dir() / "bench")
        trial = cameras.Trial(
            args.cameras,
            60 * args.minutes,
            stream,
            args.activity,
            own_clock=args.own_clock,
            kinds=tuple(args.rules.split(",")),
        )
        figures = cameras.run(trial, Config(), sample)
    except GatewatchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    rise, error_of_it = slope(at_s, mb)
    sys.stdout.write(
        f"{args.cameras} cameras, {args.minutes:.0f} minutes, {figures['analysed_fps']:.2f} analysed pictures a second and "
        f"camera, {figures['published']} messages: {mb[-1]:.0f} MB resident at the end, slope {rise:+.3f} MB a minute "
        f"(standard error {error_of_it:.3f})\n"
    )
    if made := figures["chunks"]:
        sys.stdout.write(
            f"apart from that: {made.get('written', 0)} chunks of tracks, by a program of its own that ran {made['runs']} "
            f"times, took {made['cpu_s']:.2f} CPU s and at most {made['peak_mb']:.0f} MB while it ran\n"
        )
    return 1 if rise > max(_MOST_MB_PER_MINUTE, 3 * error_of_it) else 0


if __name__ == "__main__":
    sys.exit(main())
