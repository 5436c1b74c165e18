"""The machine itself: processor, memory, limits, clock, time zones, fonts.

Each check takes what it reads as an argument, so that a test can give it another machine.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipelines.doctor.findings import Finding, fail, ok, warn

_GIB: Final = 2**30
_LEAST_MEMORY_BYTES: Final = 2 * _GIB
#: Per camera: two ffmpegs or decoders with their sockets and pipes, segments, the database; with room to spare.
_FILES_PER_CAMERA: Final = 32
_FILES_ANYWAY: Final = 256
_TIME_ERROR: Final = 5  # TIME_ERROR of adjtimex(2): the kernel's clock is not synchronised


def check_processor(cpuinfo: Path = Path("/proc/cpuinfo"), cores: int | None = None) -> Finding:
    """INT8 needs vector instructions to be quick: AVX512-VNNI is best, AVX2 is enough."""
    count = len(os.sched_getaffinity(0)) if cores is None else cores
    machine = platform.machine()
    said = f"{count} {'core' if count == 1 else 'cores'}, {machine}"
    if machine not in {"x86_64", "AMD64"}:
        return ok("Processor", said)
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return warn("Processor", f"{said}, features unknown: {cpuinfo} cannot be read", "mount /proc")
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    if "avx512_vnni" in flags or "avx_vnni" in flags:
        return ok("Processor", f"{said}, VNNI: INT8 models run at full speed")
    if "avx2" in flags:
        return ok("Processor", f"{said}, AVX2 without VNNI: expect about half as many cameras per core")
    mend = "use a processor with AVX2 (2013 or later; in a virtual machine, pass the host's processor through)"
    return warn("Processor", f"{said}, no AVX2: detection will be slow", mend)


def check_memory(meminfo: Path = Path("/proc/meminfo")) -> Finding:
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        total, available = (int(lines[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError, IndexError):
        return warn("Memory", f"unknown: {meminfo} cannot be read", "mount /proc")
    said = f"{available / _GIB:.1f} GiB free of {total / _GIB:.1f} GiB"
    if available < _LEAST_MEMORY_BYTES:
        return warn("Memory", said, "at least 2 GiB should be free: stop other programs or add memory")
    return ok("Memory", said)


def check_open_files(cameras: int, limit: tuple[int, int] | None = None) -> Finding:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE) if limit is None else limit
    needed = _FILES_ANYWAY + _FILES_PER_CAMERA * cameras
    unlimited = resource.RLIM_INFINITY
    said = f"at most {'any number' if soft == unlimited else soft}, {needed} needed for {cameras} cameras"
    if soft != unlimited and soft < needed:
        return warn("Open files", said, f"raise the limit: ulimit -n {needed}, or LimitNOFILE={needed} in the service")
    return ok("Open files", said)


def kernel_clock_synchronised() -> bool | None:
    """What adjtimex(2) says; None where it cannot be asked."""
    # struct timex is 208 bytes on 64-bit Linux; all zero (modes = 0) only asks.
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(256))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def check_clock(synchronised: bool | None) -> Finding:
    """Evidence needs a clock that is right within a second (GA/T 832-2014)."""
    mend = "install and start a time service: apt-get install chrony"
    if synchronised is None:
        return warn("Clock", "the kernel does not say whether it is synchronised", mend)
    if not synchronised:
        said = "not synchronised: pictures would be no evidence (more than 1.0 s off is not accepted)"
        return warn("Clock", said, f"{mend} (in a container: on the host)")
    return ok("Clock", "synchronised")


def check_timezone(name: str) -> Finding:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return fail("Time zone", f"no data for {name}", "pip install tzdata, or apt-get install tzdata")
    return ok("Time zone", name)


_CHINESE: Final = ("NotoSansCJK", "NotoSerifCJK", "wqy-", "SourceHanSans", "DroidSansFallback", "uming", "ukai")
_FONTS: Final = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")


def check_fonts(language: str, draws_chinese: bool, folders: tuple[Path, ...] = _FONTS) -> Finding:
    """Chinese text on pictures comes from OpenCV's own font where that has it; pages need one of the system's."""
    found = next(
        (path.name for folder in folders if folder.is_dir() for path in sorted(folder.rglob("*"))
         if any(part in path.name for part in _CHINESE)),
        None,
    )  # fmt: skip
    mend = "apt-get install fonts-noto-cjk"
    if not draws_chinese:
        said = "this OpenCV draws no Chinese: names on evidence pictures would be empty boxes"
        return warn("Chinese text", said, "pip install 'opencv-python-headless>=5'")
    if found is None and language == "zh-CN":
        return ok("Chinese text", f"drawn on pictures; for a browser on this machine: {mend}")
    return ok("Chinese text", f"drawn on pictures; the system has {found}" if found else "drawn on pictures")
