"""Hot reload: what changes, what does not, and what is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.config import LoadedConfig, load
from pipelines.config.watch import Reloader
from pipelines.testing import FakeClock

GOOD = "site: {name: North}\n"


class Heard:
    def __init__(self) -> None:
        self.changes: list[LoadedConfig] = []
        self.faults: list[list[str]] = []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(GOOD)
    return file


def make(path: Path, heard: Heard) -> Reloader:
    return Reloader(path, FakeClock(), heard.changes.append, heard.faults.append, load(path))


def test_nothing_is_said_while_nothing_changes(path: Path) -> None:
    heard = Heard()
    reloader = make(path, heard)
    for _ in range(3):
        reloader.run_once()
    path.write_text("# a comment\n" + GOOD)
    reloader.run_once()
    assert (heard.changes, heard.faults) == ([], [])


def test_change_is_told_once_even_when_the_time_of_the_file_is_the_same(path: Path) -> None:
    heard = Heard()
    reloader = make(path, heard)
    reloader.run_once()
    before = path.stat()
    path.write_text("site: {name: South}\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    reloader.run_once()
    reloader.run_once()
    assert [loaded.config.site.name for loaded in heard.changes] == ["South"]


def test_bad_file_changes_nothing_is_told_once_and_the_next_good_one_counts(path: Path) -> None:
    heard = Heard()
    reloader = make(path, heard)
    path.write_text("site: {nam: South}\n")
    reloader.run_once()
    reloader.run_once()
    assert heard.changes == []
    assert heard.faults == [
        [f"{path}:1: site.nam: unknown key; allowed: language, name, timezone (did you mean name?)"]
    ]
    path.write_text(GOOD)
    reloader.run_once()
    assert heard.changes == []  # what runs is what it says again
    path.write_text("site: {name: South}\n")
    reloader.run_once()
    assert len(heard.changes) == 1


def test_file_that_goes_away_is_a_fault_and_its_return_none(path: Path) -> None:
    heard = Heard()
    reloader = make(path, heard)
    path.unlink()
    reloader.run_once()
    reloader.run_once()
    assert heard.faults == [[f"{path}: there is no such file"]]
    path.write_text(GOOD)
    reloader.run_once()
    assert heard.changes == []


def test_waking_looks_again_at_variables(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    path.write_text("site: {name: '${SITE_NAME}'}\n")
    monkeypatch.setenv("SITE_NAME", "North")
    reloader = make(path, heard)
    reloader.run_once()
    monkeypatch.setenv("SITE_NAME", "South")
    reloader.run_once()
    assert heard.changes == []
    reloader.wake()
    reloader.run_once()
    assert [loaded.config.site.name for loaded in heard.changes] == ["South"]


def test_runs_until_stopped_and_sighup_wakes_it(path: Path) -> None:
    # In a process of its own: a test runner that has run the detector is no place to send signals to.
    code = (
        "import os, signal, sys, threading\n"
        "from pathlib import Path\n"
        "from pipelines.clock import SystemClock\n"
        "from pipelines.config import load\n"
        "from pipelines.config.watch import Reloader, reload_on_sighup\n"
        "from pipelines.testing import until\n"
        "path, changes, faults = Path(sys.argv[1]), [], []\n"
        "reloader = Reloader(path, SystemClock(), changes.append, faults.append, load(path))\n"
        "reload_on_sighup(reloader)\n"
        "stop = threading.Event()\n"
        "thread = threading.Thread(target=reloader.run, args=(stop,))\n"
        "thread.start()\n"
        "try:\n"
        "    path.write_text('site: {nam: South}\\n')\n"
        "    until(lambda: len(faults) >= 1, what='the fault')\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    until(lambda: len(faults) >= 2, what='the answer to SIGHUP: told again, since a person asked')\n"
        "    path.write_text('site: {name: South}\\n')\n"
        "    until(lambda: changes, what='the change')\n"
        "finally:\n"
        "    stop.set()\n"
        "    thread.join(10)\n"
        "assert not thread.is_alive()\n"
        "print('woken', changes[0].config.site.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "woken South\n"), done.stderr
