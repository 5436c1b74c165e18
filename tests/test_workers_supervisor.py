from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.testing import FakeClock
from pipelines.workers.supervisor import ChildSpec, Supervisor

LOG = logging.getLogger("test.supervisor")
SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_child_is_started_again_after_its_pause() -> None:
    clock = FakeClock()
    supervisor = Supervisor([ChildSpec("sleeper", SLEEPER)], clock, LOG)
    try:
        supervisor.run_once()
        first = supervisor.pids["sleeper"]
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not running(first))
        supervisor.run_once()
        assert supervisor.pids == {}, "not before the pause is over"
        clock.advance(1.01)
        supervisor.run_once()
        assert supervisor.pids["sleeper"] != first
        assert supervisor.restarts == {"sleeper": 1}
    finally:
        supervisor.end()


def test_the_pause_doubles_up_to_its_limit_and_starts_anew_after_a_steady_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    supervisor = Supervisor([ChildSpec("failing", (sys.executable, "-c", "raise SystemExit(3)"))], clock, LOG)
    try:
        pauses = []
        for _ in range(7):
            supervisor.run_once()
            pid = supervisor.pids["failing"]
            eventually(lambda pid=pid: not running(pid))
            with caplog.at_level(logging.ERROR):
                supervisor.run_once()
            pauses.append(caplog.messages[-1].split("again in ")[1])
            clock.advance(30.0)
        assert pauses == ["1 s", "2 s", "4 s", "8 s", "16 s", "30 s", "30 s"]
        assert "exit code 3" in caplog.messages[-1]
        supervisor.run_once()
        pid = supervisor.pids["failing"]
        eventually(lambda: not running(pid))
        clock.advance(61.0)
        supervisor.run_once()
        assert caplog.messages[-1].endswith("again in 1 s")
    finally:
        supervisor.end()


def test_children_end_in_reverse_order(tmp_path: Path) -> None:
    log = tmp_path / "ends"
    code = (
        "import signal, sys, time, pathlib\n"
        "def end(*_):\n"
        f"    open({str(log)!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(tmp_path)!r}, sys.argv[1]).touch()\n"
        "time.sleep(60)\n"
    )
    names = ("first", "second", "third")
    supervisor = Supervisor([ChildSpec(name, (sys.executable, "-c", code, name)) for name in names], SystemClock(), LOG)
    supervisor.run_once()
    eventually(lambda: all((tmp_path / name).exists() for name in names))
    supervisor.end()
    assert log.read_text().split() == ["third", "second", "first"]


def test_a_killed_supervisor_leaves_no_child_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = (
        "import os, pathlib, time\n"
        f"path = pathlib.Path({str(pid_file)!r}); part = path.with_suffix('.part')\n"
        "part.write_text(str(os.getpid())); part.rename(path)\n"
        "time.sleep(60)\n"
    )
    parent = (
        "import logging, sys, threading\n"
        "from pipelines.clock import SystemClock\n"
        "from pipelines.workers.supervisor import ChildSpec, Supervisor\n"
        f"child = ChildSpec('child', (sys.executable, '-c', {child!r}))\n"
        "Supervisor([child], SystemClock(), logging.getLogger()).run(threading.Event())\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        eventually(pid_file.exists)
        pid = int(pid_file.read_text())
        assert running(pid)
        process.kill()
    eventually(lambda: not running(pid))
