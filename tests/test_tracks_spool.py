"""Tracks before they are a chunk: the very chunk comes of them that would have been written of the same frames, whatever is cut
off, damaged, killed or done twice.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.children import spawn
from pipelines.testing import FakeClock
from pipelines.testing_tracks import ORIGIN, START_S, a_spool, convert, files, whole
from pipelines.tracks import conversion, spool
from pipelines.tracks.chunk import Chunk, Origin
from pipelines.tracks.converting import Converting
from pipelines.tracks.folder import SPOOL, cameras, delete_old
from pipelines.tracks.packed import PackedFrames
from pipelines.tracks.parquet import encode
from pipelines.tracks.reading import ChunkReader
from pipelines.tracks.spool import DamagedSpool, Spool, read
from pipelines.tracks.upkeep import TrackUpkeep

CHUNK = "gate/2026/09/21/142000.parquet"
LOG = logging.getLogger("test")


@pytest.mark.parametrize("seed", range(12))
def test_a_spool_becomes_the_chunk_that_is_written_of_the_same_frames_to_the_byte(tmp_path: Path, seed: int) -> None:
    count = 3 + 17 * seed
    frames = whole(seed, count)
    expected = encode(Chunk(ORIGIN, frames))
    back = read(a_spool(tmp_path, seed, count).read_bytes())
    assert back.chunk is not None
    assert (back.cut_bytes, back.chunk.origin) == (0, ORIGIN)
    assert encode(back.chunk) == expected
    assert encode(Chunk(ORIGIN, PackedFrames.from_bytes(frames.to_bytes()))) == expected
    conversion.convert_all(tmp_path)
    assert files(tmp_path) == [CHUNK]
    assert (tmp_path / CHUNK).read_bytes() == expected
    assert len(ChunkReader(tmp_path / CHUNK).moments) == count


def test_what_is_cut_off_anywhere_leaves_all_that_was_whole_before(tmp_path: Path) -> None:
    content = a_spool(tmp_path).read_bytes()
    every = whole(1, 60).frames()["time_s"].tolist()
    seen = set()
    for end in [*range(0, len(content), 97), len(content)]:
        back = read(content[:end])
        times = [] if back.chunk is None else back.chunk.frames.frames()["time_s"].tolist()
        assert times == every[: len(times)]
        assert back.cut_bytes <= end
        seen.add(len(times))
    assert {0, 60} < seen
    # Zeros are what a disk may leave that lost its power.
    back = read(content + bytes(4096))
    assert back.chunk is not None
    assert (len(back.chunk.frames), back.cut_bytes) == (60, 4096)
    half = bytearray(content)
    half[len(half) // 2] ^= 0x10
    broken = read(bytes(half))
    assert broken.chunk is not None
    assert 0 < len(broken.chunk.frames) < 60
    assert broken.cut_bytes > 0


@pytest.mark.parametrize(
    "content",
    [
        b"not a spool at all, but longer than its beginning",
        spool.MAGIC + spool._record(b'{"version": 2}'),
        spool.MAGIC + spool._record(b"[1]"),
        spool.MAGIC + spool._record(b'{"version":1,"camera":"g","config_version":"","state":{},"rules":{}}') * 2,
    ],
    ids=["other", "newer", "no origin", "no frames"],
)
def test_what_is_no_spool_is_put_aside_once_and_does_not_stop_the_others(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DamagedSpool):
        read(content)
    bad = tmp_path / "gate" / f"20260921T141959-1-1{SPOOL}"
    a_spool(tmp_path)
    bad.write_bytes(content)
    convert(tmp_path)
    assert files(tmp_path) == [CHUNK, f"gate/{bad.name}.damaged"]
    [said] = [record.message for record in caplog.records]
    assert f"{bad}.damaged" in said
    assert "put aside" in said
    convert(tmp_path)
    assert len(caplog.records) == 1
    assert delete_old(tmp_path, START_S + 1e6, 86400.0)
    assert files(tmp_path) == ["deletions.jsonl"]


def test_one_that_ends_the_program_each_time_is_put_aside_after_the_third(tmp_path: Path) -> None:
    a_spool(tmp_path)
    code = "import os\nfrom pipelines.tracks import conversion\nconversion.read = lambda _: os._exit(9)\n"
    code += f"conversion.main([{str(tmp_path)!r}])"
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 9
    conversion.convert_all(tmp_path)
    [left] = files(tmp_path)
    assert left.endswith(".spool.damaged")


def _ends_at(step: str) -> str:
    """Python that kills the conversion before, or after, one of its steps."""
    module, name, when = step.split(" ")
    stop = "os.kill(os.getpid(), signal.SIGKILL)"
    begin, end = (stop, "pass") if when == "before" else ("pass", stop)
    return f"""
import os, signal, sys
from pathlib import Path
from pipelines import files
from pipelines.tracks import conversion, folder, parquet
was = {module}.{name}
def ends(*args, **named):
    {begin}
    given = was(*args, **named)
    {end}
    return given
{module}.{name} = ends
conversion.main([sys.argv[1]])
"""


@pytest.mark.parametrize(
    "step",
    [
        "Path rename before",
        "Path rename after",
        "parquet encode after",
        "Path replace before",
        "Path replace after",
        "conversion write_chunk after",
        "Path unlink before",
        "Path unlink after",
    ],
)
def test_a_conversion_that_is_killed_anywhere_is_done_again_without_harm(tmp_path: Path, step: str) -> None:
    a_spool(tmp_path)
    program = [sys.executable, "-c", _ends_at(step), str(tmp_path)]
    assert subprocess.run(program, check=False, timeout=120).returncode == -signal.SIGKILL
    conversion.convert_all(tmp_path)
    assert files(tmp_path) == [CHUNK]
    assert (tmp_path / CHUNK).read_bytes() == encode(Chunk(ORIGIN, whole(1, 60)))


def test_two_conversions_at_once_write_each_chunk_once(tmp_path: Path) -> None:
    """Two spools of one second, which want the same name."""
    for seed in (1, 2):
        a_spool(tmp_path, seed)
    both = [Converting(tmp_path, LOG) for _ in range(2)]
    for one in both:
        one.start()
    assert all(one.finish(120) for one in both)
    assert files(tmp_path) == [CHUNK.replace(".", "-2."), CHUNK]
    assert {(tmp_path / name).read_bytes() for name in files(tmp_path)} == {
        encode(Chunk(ORIGIN, whole(seed, 60))) for seed in (1, 2)
    }


def test_a_spool_that_a_worker_has_is_left_to_it(tmp_path: Path) -> None:
    growing = Spool(tmp_path, ORIGIN, START_S)
    growing.append(whole(1, 5))
    convert(tmp_path)
    assert files(tmp_path) == [f"gate/{growing.path.name}"]
    growing.close()
    made = convert(tmp_path)
    assert files(tmp_path) == [CHUNK]
    assert made.cpu_s > 0
    assert made.peak_mb > 20


def test_a_disk_that_refuses_the_chunk_costs_a_message_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, camera in enumerate(("east", "gate")):
        a_spool(tmp_path, seed, origin=Origin(camera, "v1", {}, {}))
    before = files(tmp_path)

    def refuses(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.tracks.folder.write_atomically", refuses)
        for _ in range(5):
            conversion.convert_all(tmp_path)
            told = capsys.readouterr().out.splitlines()
            assert len(told) == 1, "the others would fare no better"
            assert "No space left on device" in told[0]
    assert files(tmp_path) == before
    conversion.convert_all(tmp_path)
    assert [name.rpartition(".")[2] for name in files(tmp_path)] == ["parquet"] * 2


def test_what_no_worker_came_back_to_is_converted_by_the_janitor_and_old_ones_are_deleted(tmp_path: Path) -> None:
    path = a_spool(tmp_path)
    clock = FakeClock(START_S + 5 * 86400)
    upkeep = TrackUpkeep(tmp_path, 86400.0 * 3, clock, LOG)
    assert upkeep.run_once() == 1
    assert not path.exists()
    assert "spool" in (tmp_path / "deletions.jsonl").read_text()
    assert cameras(tmp_path) == ["gate"]
    os.utime(a_spool(tmp_path), (START_S, START_S))
    young = TrackUpkeep(tmp_path, 86400.0 * 30, clock, LOG)
    young.look_for_left()
    assert young.converting.finish(120)
    assert files(tmp_path) == ["deletions.jsonl", CHUNK]


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo nonsense; exit 3", ["the program that writes tracks said: nonsense", "ended with 3"]),
        ("exec sleep 600", ["ended with -9"]),
    ],
)
def test_a_program_that_fails_or_hangs_is_told_of_and_the_next_one_does_its_work(
    tmp_path: Path, does: str, said: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a_spool(tmp_path)
    converting = Converting(tmp_path, LOG)
    with monkeypatch.context() as patch:
        patch.setattr(
            "pipelines.tracks.converting.spawn", lambda _, stdout: spawn(["/bin/sh", "-c", does], stdout=stdout)
        )
        patch.setattr("pipelines.tracks.converting._LONGEST_S", 0.5 if "sleep" in does else 300.0)
        converting.start()
        assert converting.finish(60)
    messages = [record.message for record in caplog.records]
    assert len(messages) == len(said)
    assert all(part in message for part, message in zip(said, messages, strict=True))
    converting.start()
    assert converting.finish(120)
    assert files(tmp_path) == [CHUNK]


def test_a_spool_of_another_user_is_put_aside_only_when_nobody_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_spool(tmp_path)

    def refuses(*_: Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pipelines.tracks.conversion.os.open", refuses)
    conversion.convert_all(tmp_path)
    assert (files(tmp_path), capsys.readouterr().out) == ([f"gate/{path.name}"], "")
    os.utime(path, (START_S, START_S))
    conversion.convert_all(tmp_path)
    assert files(tmp_path) == [f"gate/{path.name}.damaged"]
    assert "Permission denied" in capsys.readouterr().out


def test_a_disk_without_locks_costs_tracks_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("pipelines.tracks.spool.fcntl.flock", refuses)
    with pytest.raises(OSError, match="No locks"):
        Spool(tmp_path, ORIGIN, START_S)
    assert files(tmp_path) == []


def test_two_workers_of_one_camera_and_second_have_two_spools(tmp_path: Path) -> None:
    first, second = (Spool(tmp_path, ORIGIN, START_S) for _ in range(2))
    assert first.path != second.path
    with first.path.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    first.close()
    second.close()
    conversion.convert_all(tmp_path)
    assert files(tmp_path) == [], "nothing was in them"


def test_a_spool_that_is_deleted_under_its_worker_is_no_place_to_write_to(tmp_path: Path) -> None:
    growing = Spool(tmp_path, ORIGIN, START_S)
    growing.path.unlink()
    with pytest.raises(FileNotFoundError, match="deleted"):
        growing.append(whole(1, 5))
    growing.close()
