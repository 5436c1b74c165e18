"""How many heads the blurred export hides, against the truth of `vtest.avi` (PETS09-S2L1, every fifth picture).

    GATEWATCH_DATA=DIR python benchmarks/recording_blur.py vtest.avi [--json]

A head counts as hidden when the middle of the uppermost sixth of a person's true box lies in a hidden region.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipelines.commands.footage_blur import finder
from pipelines.config.schema import Config
from pipelines.recording.blur import LINGER_S, Box, hidden_region


def truth(path: Path) -> dict[int, list[tuple[float, float, float, float]]]:
    """Boxes (x, y, w, h) by picture index (0-based); ignored ones left out."""
    found: dict[int, list[tuple[float, float, float, float]]] = {}
    for line in path.read_text().splitlines():
        fields = [float(field) for field in line.split(",")]
        if fields[6] != 0:
            found.setdefault(int(fields[0]) - 1, []).append((fields[2], fields[3], fields[4], fields[5]))
    return found


def measure(video: Path, expected: dict[int, list[tuple[float, float, float, float]]]) -> dict[str, Any]:
    find, model = finder(Config())
    seen: list[list[Box]] = []
    with av.open(str(video)) as file:
        rate = float(file.streams.video[0].average_rate or 10)
        size = (0, 0)
        for frame in file.decode(video=0):
            if len(seen) > max(expected) + rate:
                break
            picture = frame.to_ndarray(format="bgr24")
            size = picture.shape[:2]
            seen.append(list(find(picture)))
    reach = int(LINGER_S * rate)
    heads = alone = hidden = 0
    shares = []
    for index, people in expected.items():
        near = [box for boxes in seen[max(0, index - reach) : index + reach + 1] for box in boxes]
        mask = np.zeros(size, bool)
        for box in near:
            x1, y1, x2, y2 = hidden_region(box, size)
            mask[y1:y2, x1:x2] = True
        shares.append(float(mask.mean()))
        for x, y, w, h in people:
            column, row = x + w / 2, y + h / 12
            if not (0 <= column < size[1] and 0 <= row < size[0]):
                continue
            heads += 1
            hidden += bool(mask[int(row), int(column)])
            alone += any(
                x1 <= column < x2 and y1 <= row < y2
                for x1, y1, x2, y2 in (hidden_region(box, size) for box in seen[index])
            )
    return {
        "model": model,
        "pictures": len(expected),
        "heads": heads,
        "hidden": round(hidden / heads, 4),
        "hidden_by_the_same_picture_alone": round(alone / heads, 4),
        "share_of_picture_hidden": round(float(np.mean(shares)), 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    data = Path(os.environ.get("GATEWATCH_DATA", "../shared/data"))
    result = measure(args.video, truth(data / "pets09" / "gt_keyframes_1-266.txt"))
    print(json.dumps(result, indent=None if args.json else 1))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
