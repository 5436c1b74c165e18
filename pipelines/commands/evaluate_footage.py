"""`gatewatch evaluate parking | crowding` on footage with truth files: incidents, beside what the folder holds otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from pipelines.evaluating_incidents import Progress

KINDS: Final = {"parking": "illegal_parking", "crowding": "crowding"}
_OTHERS: Final = {
    "parking": "no */frames with masks and bounding_boxes beside them (PKLot's layout)",
    "crowding": "no pets09/gt_keyframes_1-266.txt",
}
_COUNTS: Final = ("true", "reported", "matched", "duplicates", "false_alarms")


def with_incidents(
    subject: str, data: Path, config: Config, fps: float, other: dict[str, Any] | None
) -> dict[str, Any]:
    """The figures of `data`: those of incidents under `incidents`, and those of `other` (its still pictures, its counts), where
    it has such. Without `other`, the precision and the recall of the incidents stand at the top.

    Raises:
        BadInput: a truth file or a video cannot be used, or there is nothing to measure.
    """
    from pipelines.detector import load_detector
    from pipelines.errors import BadInput
    from pipelines.evaluating_incidents import footage_of, incidents, truth_files

    kind = KINDS[subject]
    footage = footage_of(data, kind, config)
    if not footage:
        if other is not None:
            return other
        files = truth_files(data)
        if files:
            raise BadInput(f"{data}: none of its {len(files)} truth files has a rule of {kind}")
        raise BadInput(f"{data}: holds no truth file of a video (*.truth.json), and {_OTHERS[subject]}")
    with _progress() as progress:
        found = incidents(footage, kind, config, load_detector(config), fps, progress, _warn)
    if other is not None:
        return {**other, "incidents": found}
    top = {name: found[name] for name in ("detector", "precision", "recall")}
    return {**top, "incidents": found}


def _warn(text: str) -> None:
    sys.stderr.write(f"gatewatch: {text}\n")


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar for each video on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _name, _seconds, _length: None
        return
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def show(name: str, seconds: float, length_s: float | None) -> None:
        if name not in bars:
            bars[name] = tqdm(total=length_s and round(length_s, 1), unit="s", desc=name, file=sys.stderr)
        bars[name].update(round(seconds - bars[name].n, 1))

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


def text(found: dict[str, Any]) -> str:
    """The figures of incidents for people to read."""
    lines = [f"incidents of {found['kind']}, at {found['fps']:g} pictures a second"]
    lines += [
        f"{name:32} {_shown(value)}"
        for name, value in found.items()
        if name not in ("cameras", "videos", "kind", "fps")
    ]
    lines += [
        "",
        f"{'camera':24}{'hours':>8}" + "".join(f"{name:>14}" for name in _COUNTS) + f"{'a day':>10}{'at most':>10}",
    ]
    for row in found["cameras"]:
        rates = (row["false_alarms_per_day"], row["false_alarms_per_day_bound_95"])
        counts = "".join(f"{row[name]:>14}" for name in _COUNTS)
        lines.append(f"{row['camera']:24}{row['hours']:>8}{counts}" + "".join(f"{_shown(rate):>10}" for rate in rates))
    lines += [
        "",
        f"{'video':24}{'seconds':>8}" + "".join(f"{name:>14}" for name in _COUNTS) + "  delays (s): opening | closing",
    ]
    for row in found["videos"]:
        delays = " | ".join(
            " ".join(f"{delay:+.1f}" for delay in row[name]) for name in ("opening_delays_s", "closing_delays_s")
        )
        lines.append(
            f"{row['video']:24}{row['seconds']:>8}" + "".join(f"{row[name]:>14}" for name in _COUNTS) + f"  {delays}"
        )
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:+g}" for name, number in value.items())
    return "-" if value is None else str(value)
