"""What a picture of the recorded main stream costs, and how often it agrees with the analysed one when the streams are apart.

    .venv/bin/python benchmarks/stills.py [--streams FOLDER]

Cost: a moment at the end of a group of pictures, the dearest one, out of ten seconds of 1920x1080 at 25 pictures a second and
4 Mbit/s. Agreement: sub and main stream of the sample clips (`gatewatch samples serve` makes them), the main one shown some
time later than the sub one whose boxes hide it; heads are what the detector sees on the sub picture of that later time. One that
looks the same on the sub picture shown first is what the detector missed there: no comparison of the two can tell.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from pipelines.config.schema import Config
from pipelines.detector import boxes_to_hide, load_detector
from pipelines.media.agreement import agree, stirred
from pipelines.media.ffmpeg import find_binary
from pipelines.media.hiding import Box, Pixels, grown, hidden_region, whole
from pipelines.paths import samples_dir
from pipelines.recording import ledger
from pipelines.recording.chain import next_place
from pipelines.recording.fmp4 import StreamParser
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume
from pipelines.recording.segments import SegmentWriter
from pipelines.recording.stills import nearest

START_MS = 1_772_438_400_000
CUTS = 10
FPS = 10
#: Later by this, in pictures.
SHIFTS = (0, 1, 2, 3, 5, 8, 10, 20)
#: As `pipelines.evidence.boxes` lets boxes grow, in heights of a person.
WALKED, UPWARDS = 0.2, 0.05
#: Grey levels that a part of two pictures differs by in the mean, where both show the same.
SAME = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=Path, default=samples_dir() / "streams")
    folder: Path = parser.parse_args().streams
    for group_s in (1, 2, 4):
        print(cost(group_s))  # noqa: T201
    print(  # noqa: T201
        "main stream later by; agrees; heads on those not hidden to nine tenths, of them the same on both; boxes hidden whole"
    )
    for shift, found in agreement(folder).items():
        agreed, pairs, exposed, same, heads, moving, boxes = found
        print(f"{shift / FPS:4.1f} s   {agreed:2} of {pairs}   {exposed} ({same}) of {heads}   {moving} of {boxes}")  # noqa: T201


def cost(group_s: int) -> str:
    source = "testsrc2=size=1920x1080:rate=25:duration=10,noise=alls=12:allf=t"
    coded = f"-c:v libx264 -preset veryfast -b:v 4M -maxrate 4M -bufsize 4M -bf 0 -sc_threshold 0 -g {25 * group_s}"
    written = "-f mp4 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov+default_base_moof pipe:1"
    command = [find_binary(), "-loglevel", "error", "-f", "lavfi", "-i", source, *coded.split(), *written.split()]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    stream = StreamParser()
    fragments = stream.feed(data)
    assert stream.init is not None
    with tempfile.TemporaryDirectory() as scratch:
        volume = Volume.open(Path(scratch) / "volume", create=True)
        with Index.open(volume.index, create=True) as index:
            writer = SegmentWriter(volume.root, "gate", "0a1b2c3d", START_MS, stream.init)
            writer.open()
            for fragment in fragments:
                writer.append(fragment.data)
            segment = writer.close(START_MS, START_MS + 10_000, next_place(index, "gate", START_MS, None), None)
            with index.transaction() as cursor:
                ledger.insert_segment(cursor, segment)
            spent: list[float] = []
            for _ in range(CUTS):
                began_s = time.process_time()
                at_ms = START_MS + 1000 * group_s * (8 // group_s) - 40
                nearest(index, volume.root, "gate", at_ms, START_MS + 900_000, segment_ms=10_000, decoding=int)
                spent.append(time.process_time() - began_s)
    return f"key frame each {group_s} s: {statistics.median(spent):.2f} s of processor time a picture ({CUTS} cuts)"


def agreement(folder: Path) -> dict[int, list[int]]:
    """By shift: pairs that agree, pairs, heads not hidden on those, of them ones that both pictures show, heads on those, boxes
    hidden whole on those, boxes on those."""
    detector = load_detector(Config())
    found = {shift: [0] * 7 for shift in SHIFTS}
    for clip in ("campus", "gate"):
        subs, mains = (list(pictures(folder / f"{clip}-{which}.mp4", 421)) for which in ("sub", "main"))
        height, width = subs[0].shape[:2]
        boxes = {number: boxes_to_hide(detector.detect([subs[number]])[0]) for number in wanted()}
        for number in range(60, 400, 20):
            covered = [
                grown(one, WALKED * (one.y2_px - one.y1_px), UPWARDS * (one.y2_px - one.y1_px))
                for before in (5, 3, 1, 0)
                for one in boxes[number - before]
            ]
            for shift, sums in found.items():
                small = cv2.resize(mains[number + shift], (width, height), interpolation=cv2.INTER_AREA)
                compared = (subs[number], np.asarray(small, np.uint8), covered, (width, height))
                sums[1] += 1
                if agree(*compared):
                    moving = stirred(*compared)
                    hidden = np.zeros((height, width), bool)
                    for one, moves in zip(covered, moving, strict=True):
                        x1, y1, x2, y2 = hidden_region(whole(one) if moves else one, (height, width))
                        hidden[y1:y2, x1:x2] = True
                    shown = [head_of(one) for one in boxes[number + shift] if one.kind == "person"]
                    bare = [head for head in shown if hidden[head].size and hidden[head].mean() < 0.9]
                    apart = cv2.absdiff(subs[number], subs[number + shift])
                    same = sum(bool(apart[head].mean() < SAME) for head in bare)
                    for which, more in enumerate((1, 0, len(bare), same, len(shown), sum(moving), len(moving))):
                        sums[which] += more
    return found


def wanted() -> set[int]:
    return {number + more for number in range(60, 400, 20) for more in (-5, -3, -1, *SHIFTS)}


def head_of(one: Box) -> tuple[slice, slice]:
    height, middle = one.y2_px - one.y1_px, (one.x1_px + one.x2_px) / 2
    rows = slice(max(0, int(one.y1_px)), int(one.y1_px + 0.15 * height) + 1)
    return rows, slice(max(0, int(middle - 0.1 * height)), int(middle + 0.1 * height) + 1)


def pictures(path: Path, count: int) -> Iterator[Pixels]:
    with av.open(str(path)) as file:
        for number, frame in enumerate(file.decode(video=0)):
            if number == count:
                return
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


if __name__ == "__main__":
    main()
