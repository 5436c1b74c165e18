"""What one camera costs among few and among many, and the memory: the plot of docs/performance.md.

    .venv/bin/python benchmarks/cost_per_camera.py [--counts 4,8,16,24,40,60] [--out docs/pictures/cost-per-camera.svg]

On the worker's own clock, so it holds on a busy machine too; the picture needs the extra `analysis`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from pipelines.bench.limit import in_a_process
from pipelines.errors import GatewatchError

_PARTS: Final = ("decode", "inference", "gate", "detect", "track", "rules", "keep", "publish", "other")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="4,8,16,24,40,60")
    parser.add_argument("--seconds", default="10")
    parser.add_argument("--out", type=Path, help="the picture (.svg or .png)")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    try:
        for activity in ("1.0", "0.1"):
            for count in map(int, args.counts.split(",")):
                figures = in_a_process(count, ["--seconds", args.seconds, "--activity", activity, "--own-clock"])
                rows.append(figures)
                sys.stderr.write(f"{activity} {count}: {1e3 * figures['per_camera_cpu_s']:.1f} ms\n")
    except GatewatchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if args.out is not None:
        _draw(rows, args.out)
    json.dump(
        [
            {
                key: row[key]
                for key in ("activity", "cameras", "per_camera_cpu_s", "own_share", "resident_mb", "stages_cpu_s")
            }
            for row in rows
        ],
        sys.stdout,
        indent=1,
    )
    sys.stdout.write("\n")
    return 0


def _draw(rows: list[dict[str, Any]], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4), constrained_layout=True)
    for axis, activity, title in zip(
        axes, (1.0, 0.1), ("people move all the time", "a tenth of the time"), strict=False
    ):
        some = [row for row in rows if row["activity"] == activity]
        counts = [row["cameras"] for row in some]
        parts = [[1e3 * row["stages_cpu_s"].get(part, 0.0) for row in some] for part in _PARTS]
        axis.stackplot(counts, parts, labels=_PARTS)
        axis.set(title=title, xlabel="cameras", ylabel="CPU ms per camera and second", ylim=(0, None), xticks=counts)
        axis.legend(fontsize=7, loc="lower right")
        axes[2].plot(counts, [row["resident_mb"] for row in some], marker="o", label=title)
    counts = sorted({row["cameras"] for row in rows})
    axes[2].plot(counts, [400 + 25 * count for count in counts], "--", color="grey", label="400 MB + 25 MB per camera")
    axes[2].set(title="memory", xlabel="cameras", ylabel="MB resident", ylim=(0, None), xticks=counts)
    axes[2].legend(fontsize=7)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


if __name__ == "__main__":
    sys.exit(main())
