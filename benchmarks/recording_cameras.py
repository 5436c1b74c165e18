"""Records many sample cameras and says what it cost and what was missing.

    python benchmarks/recording_cameras.py --cameras 30 --minutes 10 [--json]

The cameras are real RTSP servers (one process for each four) that play a clip made here. The recorder runs as the command
`gatewatch record`, in a process of its own. Costs are read from /proc: of the recorder's process, and of its ffmpegs.
Exit code 0 when completeness, the ledger's sum and the recorder's cost are within their limits.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import Unavailable
from pipelines.media.ffmpeg import find_binary
from pipelines.recording import ledger
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume
from pipelines.recording.verify import Verifier
from pipelines.samples.cameras import RtspServer
from pipelines.testing import until

PER_SERVER = 4
COMPLETENESS_PERCENT, SUM_S, CORE_PERCENT, MIB = 99.9, 1.0, 0.5, 30.0


def make_clip(folder: Path, seconds: int, kbits: int) -> None:
    """A clip with a key frame every two seconds, 12 pictures a second, 1280x720."""
    command = [find_binary(), "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i"]
    command += [f"testsrc2=size=1280x720:rate=12:duration={seconds}", "-c:v", "libx264", "-preset", "ultrafast"]
    command += ["-bf", "0", "-g", "24", "-b:v", f"{kbits}k", "-maxrate", f"{kbits}k", "-bufsize", f"{kbits}k"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(folder / "clip.mp4")], check=True)


def cpu_s(pid: int) -> float:
    """User and system time of one process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Proportional set size."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def measure(cameras: int, seconds: float, kbits: int) -> dict[str, Any]:
    """Run it; see `judge` for the limits."""
    with tempfile.TemporaryDirectory(prefix="gatewatch-bench-") as folder:
        root = Path(folder)
        (root / "clips").mkdir()
        make_clip(root / "clips", 40, kbits)
        servers = [RtspServer(root / "clips") for _ in range(-(-cameras // PER_SERVER))]
        try:
            for server in servers:
                server.start()
            names = {f"camera-{n:02d}": servers[n // PER_SERVER].url("clip.mp4") for n in range(cameras)}
            config = {
                "data": str(root / "data"),
                "cameras": {name: {"main": {"url": url}} for name, url in names.items()},
                "recording": {"reserve_free": 0},
                "recorder": {"metrics": {"port": 19466}},
            }
            (root / "site.yaml").write_text(yaml.safe_dump(config))
            command = [sys.executable, "-m", "pipelines.cli", "record", "-c", str(root / "site.yaml")]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            try:
                # The steady state is what is measured: every camera has a segment on record.
                until(lambda: _all_record(root / "data" / "recordings", list(names)), 180.0, "a segment of each camera")
                begin_s, begin_cpu, begin_ffmpeg = time.monotonic(), cpu_s(process.pid), _all(children(process.pid))
                time.sleep(seconds)
                took_s = time.monotonic() - begin_s
                cost = (cpu_s(process.pid) - begin_cpu) / took_s
                pids = children(process.pid)
                ffmpeg = (_all(pids) - begin_ffmpeg) / took_s
                memory, ffmpeg_memory = memory_mib(process.pid), sum(map(memory_mib, pids))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        finally:
            for server in servers:
                server.stop()
        return {
            "cameras": cameras,
            "seconds": round(took_s, 1),
            "recorder_core_percent_per_camera": round(100 * cost / cameras, 4),
            "recorder_mib_per_camera": round(memory / cameras, 2),
            "ffmpeg_core_percent_per_camera": round(100 * ffmpeg / cameras, 4),
            "ffmpeg_mib_per_camera": round(ffmpeg_memory / cameras, 2),
            **_ledger(Volume.open(root / "data" / "recordings", create=False), list(names)),
        }


def _all_record(folder: Path, names: list[str]) -> bool:
    try:
        with Index.open(Volume.open(folder, create=False).index) as index:
            everything = Span(0, round(time.time() * 1000) + 1000)
            return all(ledger.segments(index, name, everything) for name in names)
    except Unavailable:  # nothing there yet
        return False


def _all(pids: list[int]) -> float:
    return sum(map(cpu_s, pids))


def _ledger(volume: Volume, names: list[str]) -> dict[str, Any]:
    worst, furthest, findings, gaps, total_bytes = 100.0, 0.0, 0, [], 0
    with Index.open(volume.index) as index:
        now_ms = round(time.time() * 1000)
        for name in names:
            segments = ledger.segments(index, name, Span(0, now_ms + 1000))
            if not segments:
                worst = 0.0
                continue
            span = Span(segments[0].start_ms, segments[-1].end_ms)
            coverage = ledger.coverage(index, name, span, now_ms)
            worst = min(worst, 100 * coverage.completeness)
            gaps += [{"camera": name, "seconds": gap.duration_s, "cause": gap.cause.value} for gap in coverage.gaps]
            whole = ledger.coverage(index, name, Span(ledger.cameras(index)[name], now_ms), now_ms)
            accounted = whole.recorded_ms / 1000 + sum(gap.duration_s for gap in whole.gaps)
            furthest = max(furthest, abs(accounted - (now_ms - ledger.cameras(index)[name]) / 1000))
            # And the media themselves: their own length against what the ledger says.
            furthest = max(
                furthest,
                abs(
                    (span.to_ms - span.from_ms) / 1000
                    - sum(s.duration_s for s in segments)
                    - sum(gap.duration_s for gap in coverage.gaps)
                ),
            )
            findings += len(Verifier(index, volume).run(name, (0, 99999999)).findings)
            total_bytes += sum(segment.size_bytes for segment in segments)
    return {
        "worst_completeness_percent": round(worst, 4),
        "ledger_off_s": round(furthest, 3),
        "verify_findings": findings,
        "gaps": gaps,
        "megabytes": round(total_bytes / 1e6),
    }


def judge(result: dict[str, Any]) -> bool:
    return bool(
        result["worst_completeness_percent"] >= COMPLETENESS_PERCENT
        and result["ledger_off_s"] <= SUM_S
        and result["recorder_core_percent_per_camera"] <= CORE_PERCENT
        and result["recorder_mib_per_camera"] <= MIB
        and result["verify_findings"] == 0
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kbits", type=int, default=2000, help="of each camera")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = measure(args.cameras, args.minutes * 60, args.kbits)
    result["passed"] = judge(result)
    print(json.dumps(result, indent=None if args.json else 1))  # noqa: T201
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
