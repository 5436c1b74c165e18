"""A janitor that is killed in the middle of its pictures: the next one goes on, and cuts none twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.locate import embedded_folder
from pipelines.evidence.testing import Case, number_on
from pipelines.store.stills import with_stills
from pipelines.testing import until

if TYPE_CHECKING:
    from conftest import FilledVolume

PICTURES = 7


@pytest.mark.slow
def test_a_janitor_that_is_killed_goes_on_where_it_was(tmp_path: Path, large: FilledVolume) -> None:
    start_s = float(int(time.time()) - 300)
    large.add("gate", round(start_s * 1000), count=4)
    case = Case(tmp_path, large, start_s)
    for number in range(PICTURES):
        case.see(1.0 + number, f"role-{number}")
    config = tmp_path / "gatewatch.yaml"
    config.write_text(
        f"data: {tmp_path}\ncameras: {{gate: {{main: {{url: 'rtsp://127.0.0.1/1'}}}}}}\n"
        f"recording: {{folder: {large.volume.root}, reserve_free: 0}}\n"
    )
    command = [sys.executable, "-m", "pipelines.cli", "janitor", "-c", str(config)]

    def cut() -> dict[str, int]:
        notes = [path for path in case.folder.rglob("*.main.json") if '"sha256"' in path.read_text()]
        return {path.name: path.with_suffix(".jpg").stat().st_mtime_ns for path in notes}

    def known() -> dict[str, dict[str, str]]:
        (row,) = case.rows()
        return {one["role"]: one["main"] for one in with_stills(row) if one["main"] is not None}

    with EmbeddedValkey(embedded_folder(tmp_path)), (tmp_path / "janitor.log").open("wb") as log:
        first = subprocess.Popen(command, stderr=log)
        try:
            until(cut, 60, "a first picture")
        finally:
            first.kill()
            first.wait()
        before = cut()
        assert len(before) < PICTURES, "it was killed in the middle"
        second = subprocess.Popen(command, stderr=log)
        try:
            until(lambda: len(known()) == PICTURES, 90, "all pictures")
        finally:
            second.terminate()
            assert second.wait(60) == 0
    assert {name: at for name, at in cut().items() if name in before} == before, "none was cut twice"
    stills = known()
    assert [number_on(case.picture(stills[f"role-{number}"])) for number in range(PICTURES)] == [
        10 * (1 + number) for number in range(PICTURES)
    ]
    case.database.close()
