"""Who used the processor and the memory: this process's threads, and other processes, as the kernel counts them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

_NS: Final = 1e-9
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def library_threads_cpu_s() -> float:
    """Seconds that threads which are not Python's have used so far: those of the inference library."""
    ours = {thread.native_id for thread in threading.enumerate()}
    return sum(_scheduled_s(task) for task in Path("/proc/self/task").iterdir() if int(task.name) not in ours)


def _scheduled_s(task: Path) -> float:
    try:
        return int((task / "schedstat").read_text().split()[0]) * _NS
    except (OSError, IndexError):  # it ended meanwhile
        return 0.0


def process_cpu_s(pid: int) -> float:
    """User and system seconds of a process and of its children that were waited for; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS_PER_S


def resident_mb() -> float:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
