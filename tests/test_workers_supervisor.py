from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.testing import FakeClock, alive, until
from pipelines.workers.supervisor import ChildSpec, Supervisor

LOG = logging.getLogger("test.supervisor")
SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")


def test_a_killed_child_is_started_again_after_its_pause() -> None:
    clock = FakeClock()
    supervisor = Supervisor([ChildSpec("sleeper", SLEEPER)], clock, LOG)
    try:
        supervisor.run_once()
        first = supervisor.pids["sleeper"]
        os.kill(first, signal.SIGKILL)
        until(lambda: not alive(first))
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
            until(lambda pid=pid: not alive(pid))
            with caplog.at_level(logging.ERROR):
                supervisor.run_once()
            pauses.append(caplog.messages[-1].split("again in ")[1])
            clock.advance(30.0)
        assert pauses == ["1 s", "2 s", "4 s", "8 s", "16 s", "30 s", "30 s"]
        assert "exit code 3" in caplog.messages[-1]
        supervisor.run_once()
        pid = supervisor.pids["failing"]
        until(lambda: not alive(pid))
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
    until(lambda: all((tmp_path / name).exists() for name in names))
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
        until(pid_file.exists)
        pid = int(pid_file.read_text())
        assert alive(pid)
        process.kill()
    until(lambda: not alive(pid))
