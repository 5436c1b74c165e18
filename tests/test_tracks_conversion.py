"""The program that makes chunks of spools, and who starts it: what is no fault of a spool's costs it none of its three tries, and
nobody waits for anybody.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipelines.children import spawn
from pipelines.clock import SystemClock
from pipelines.testing import until
from pipelines.testing_tracks import START_S, a_spool, convert, files
from pipelines.tracks import conversion
from pipelines.tracks.chunk import Chunk
from pipelines.tracks.converting import Converting
from pipelines.tracks.upkeep import TrackUpkeep

CHUNK = "gate/2026/09/21/142000.parquet"
LOG = logging.getLogger("test")


def test_a_folder_in_which_nothing_can_be_made_is_told_of_in_a_line_and_keeps_its_spools(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = a_spool(tmp_path)
    (tmp_path / "conversion.lock").mkdir()
    convert(tmp_path)
    said = [record.message for record in caplog.records]
    assert len(said) == 2
    assert f"{tmp_path}: no tracks can be written: " in said[0]
    assert "ended with 1" in said[1]
    assert "Traceback" not in capfd.readouterr().err
    assert files(tmp_path) == [f"gate/{before.name}"]


def test_without_what_writes_parquet_the_spools_wait_untouched(tmp_path: Path) -> None:
    before = a_spool(tmp_path)
    code = "import sys; sys.modules['pyarrow'] = None\nfrom pipelines.tracks import conversion\n"
    program = [sys.executable, "-c", f"{code}sys.exit(conversion.main([{str(tmp_path)!r}]))"]
    for _ in range(conversion.MOST_TRIES + 1):
        done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (1, "")
        assert "no tracks can be written" in done.stdout
        assert "pyarrow" in done.stdout
    assert files(tmp_path) == [f"gate/{before.name}"]


def test_too_little_memory_is_not_the_spools_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_spool(tmp_path)

    def refuses(_: Chunk) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.tracks.parquet.encode", refuses)
        conversion.convert_all(tmp_path)
    assert "too little memory" in capsys.readouterr().out
    conversion.convert_all(tmp_path)
    assert files(tmp_path) == [CHUNK]


def test_the_janitor_hears_all_that_is_said_of_a_thousand_spools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a pipe holds: unheard, the program would keep the folder's lock until the janitor looks again."""
    os.utime(a_spool(tmp_path), (START_S, START_S))
    told = '{"camera": "gate", "outcome": "written", "said": ""}\n'
    done = tmp_path / "done"
    code = f"import sys; sys.stdout.write({told!r} * 3000); sys.stdout.flush(); open({str(done)!r}, 'w')"
    monkeypatch.setattr(
        "pipelines.tracks.converting.spawn", lambda _, stdout: spawn([sys.executable, "-c", code], stdout=stdout)
    )
    upkeep = TrackUpkeep(tmp_path, 1e12, SystemClock(), LOG)
    stop = threading.Event()
    thread = threading.Thread(target=upkeep.run, args=(stop,))
    thread.start()
    try:
        until(done.exists, 60, "the program to have said all")
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def test_a_program_that_is_called_off_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    a_spool(tmp_path)
    converting = Converting(tmp_path, LOG)
    converting.start()
    assert not converting.finish(0.0)
    assert [(record.levelname, "next time" in record.message) for record in caplog.records] == [("INFO", True)]
    convert(tmp_path)
    assert files(tmp_path) == [CHUNK]
