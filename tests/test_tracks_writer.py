"""Tracks are on the disk two seconds after they were seen, whatever becomes of the worker; a disk that refuses costs tracks and
nothing else; and a worker never loads what writes Parquet.
"""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.testing import gathered, until
from pipelines.testing_tracks import ORIGIN, START_S, convert, files, moments, pieces, sees, whole
from pipelines.tracks import conversion, keeper
from pipelines.tracks import writer as writer_module
from pipelines.tracks.chunk import Chunk, Origin
from pipelines.tracks.folder import SPOOL, chunks, spools
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.packed import PackedFrames
from pipelines.tracks.parquet import encode
from pipelines.tracks.reading import ChunkReader
from pipelines.tracks.spool import read
from pipelines.tracks.strand import Piece, Strand
from pipelines.tracks.writer import TrackWriter, writing

CHUNK = "gate/2026/09/21/142000.parquet"
LOG = logging.getLogger("test")


def given(writer: TrackWriter, seed: int = 1, count: int = 60, *, ends: bool = True) -> Strand:
    strand = Strand(ORIGIN)
    for frames in pieces(seed, count):
        writer.put(Piece(strand, frames, False))
    if ends:
        writer.put(Piece(strand, PackedFrames(), True))
    return strand


def test_what_is_given_to_the_writer_is_in_chunks_when_it_ends(tmp_path: Path) -> None:
    counted: list[tuple[str, str]] = []
    writer = TrackWriter(tmp_path, lambda *what: counted.append(what), LOG)
    with writing(writer):
        given(writer, 1)
        given(writer, 2, ends=False)
    convert(tmp_path)  # what a slow machine had not done in ten seconds
    assert len(chunks(tmp_path, "gate")) == 2
    assert not spools(tmp_path, "gate")
    assert set(counted) <= {("gate", "written")}


@pytest.mark.parametrize("what", ["a file where the folder should be", "no room", "read-only"])
def test_a_disk_that_refuses_is_counted_and_costs_only_tracks(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[tuple[str, str]] = []
    root = tmp_path / "tracks"
    write = os.write
    if what == "a file where the folder should be":
        root.write_text(what)

    def refuses(fd: int, content: Any) -> int:
        if what == "no room":
            if len(content) > 10:
                return write(fd, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    writer = TrackWriter(root, lambda *told: counted.append(told), LOG)
    with monkeypatch.context() as patch:
        if not root.exists():
            patch.setattr("pipelines.tracks.spool.os.write", refuses)
        for _ in range(3):
            strand = given(writer)
            writer.run_once()
            assert strand.is_broken
    assert counted == [("gate", "failed")] * 3
    assert len(caplog.records) == 1, "said once, not every half minute"
    assert not root.is_dir() or files(root) == []
    root.unlink(missing_ok=True) if root.is_file() else None
    given(writer)
    writer.run_once()
    assert caplog.records[-1].message == "tracks are kept again"
    convert(root)
    assert files(root) == [CHUNK]


def test_a_disk_that_is_full_in_the_middle_leaves_what_was_written_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = TrackWriter(tmp_path, lambda *_: None, LOG)
    strand = given(writer, ends=False)
    writer.run_once()
    write = os.write
    with monkeypatch.context() as patch:

        def short(fd: int, content: Any) -> int:
            if len(content) <= 40:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(fd, content[:40])

        patch.setattr("pipelines.tracks.spool.os.write", short)
        writer.put(Piece(strand, whole(2, 9), False))
        writer.run_once()
    assert strand.is_broken
    conversion.convert_all(tmp_path)
    assert len(ChunkReader(tmp_path / CHUNK).moments) == 60


def test_what_is_no_json_is_counted_and_the_next_ones_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[tuple[str, str]] = []
    writer = TrackWriter(tmp_path, lambda *told: counted.append(told), LOG)
    writer.put(Piece(Strand(Origin("gate", "v1", {"not": {"json"}}, {})), whole(1, 3), True))
    given(writer)
    writer.run_once()
    assert counted == [("gate", "failed")]
    assert [record.message for record in caplog.records] == [
        "tracks are not kept: TypeError('Object of type set is not JSON serializable')",
        "tracks are kept again",
    ]
    conversion.convert_all(tmp_path)
    assert files(tmp_path) == [CHUNK]


def test_pieces_that_cannot_be_put_together_cost_no_other_camera_s_tracks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[str, str]] = []
    writer = TrackWriter(tmp_path, lambda *told: counted.append(told), LOG)
    extend = PackedFrames.extend
    bad = Strand(Origin("bad", "v1", {}, {}))
    given_bad = [PackedFrames(), PackedFrames()]

    def refuses(self: PackedFrames, after: PackedFrames) -> None:
        if self is given_bad[0]:
            raise MemoryError
        extend(self, after)

    monkeypatch.setattr(PackedFrames, "extend", refuses)
    for frames in given_bad:
        writer.put(Piece(bad, frames, False))
    given(writer)
    writer.run_once()
    assert counted == [("bad", "failed")]
    assert len(spools(tmp_path, "gate")) == 1


def test_a_disk_that_hangs_costs_tracks_and_not_analysis(tmp_path: Path) -> None:
    counted: list[tuple[str, str]] = []
    writer = TrackWriter(tmp_path, lambda *what: counted.append(what), LOG, most_waiting=3)
    first = Strand(ORIGIN)
    for frames in pieces(1, 60)[:9]:
        writer.put(Piece(first, frames, False))  # nobody writes; it returns all the same
    assert first.is_broken
    assert counted == [("gate", "dropped")]
    writer.run_once()
    given(writer, 2, 3)
    writer.run_once()
    conversion.convert_all(tmp_path)
    assert [len(ChunkReader(file.path).moments) for file in chunks(tmp_path, "gate")] == [3]


def test_after_a_chunk_that_could_not_be_kept_another_is_begun_half_a_minute_later() -> None:
    put: list[Piece] = []
    keeper = TrackKeeper("gate", put.append)
    for number, (moment, ids, _) in enumerate(moments(np.random.default_rng(3), 400)):
        sees(keeper, moment, ids)
        if number == 40:
            put[-1].strand.is_broken = True
    strands = list(dict.fromkeys(piece.strand for piece in put))
    assert len(strands) == 2
    begun_s = [next(one.frames.from_s for one in put if one.strand is strand) - START_S for strand in strands]
    assert begun_s == [0.0, pytest.approx(8.2 + 30.0, abs=0.01)]
    ages = [piece.frames.frames()["time_s"] for piece in put]
    assert max(float(times[-1] - times[0]) for times in ages) <= 1.0 + 1e-6, "given away every second"


def test_a_silent_camera_s_chunk_ends_with_its_ten_minutes() -> None:
    kept: list[Chunk] = []
    keeper = TrackKeeper("gate", gathered(kept.append))
    for moment, ids, _ in moments(np.random.default_rng(3), 8):
        sees(keeper, moment, ids)
    for now_s in np.arange(START_S + 2, START_S + 620, 2.0).tolist():
        keeper.watch(now_s)
        assert len(kept) == (1 if now_s >= START_S + 600 else 0)
    assert len(kept[0].frames) == 8


WORKER = """
import logging, sys, time
from pathlib import Path
from pipelines.testing_tracks import ORIGIN, pieces
from pipelines.tracks.spool import read
from pipelines.tracks.strand import Piece, Strand
from pipelines.tracks.writer import TrackWriter, writing
strand = Strand(ORIGIN)
with writing(TrackWriter(Path(sys.argv[1]), lambda *_: None, logging.getLogger())) as writer:
    for frames in pieces(int(sys.argv[2]), 4000):
        writer.put(Piece(strand, frames, False))
        time.sleep(0.05)
"""


def test_what_is_on_the_disk_outlives_a_worker_that_is_killed_and_two_that_begin_at_once(tmp_path: Path) -> None:
    """Processes that give and write as workers do, until they are killed."""
    seen: dict[Path, int] = {}

    def are_there(count: int) -> bool:
        """Whether so many spools have been seen with more than twenty frames each."""
        for file in spools(tmp_path, "gate"):
            with suppress(FileNotFoundError):  # a chunk was made of it meanwhile
                if file.path.suffix == SPOOL and (chunk := read(file.path.read_bytes()).chunk) is not None:
                    seen[file.path] = len(chunk.frames)
        return sum(frames > 20 for frames in seen.values()) >= count

    with ExitStack() as stack:

        def begin(seed: int) -> subprocess.Popen[bytes]:
            worker = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), str(seed)])
            stack.callback(worker.wait)
            stack.callback(worker.kill)
            return worker

        first = begin(1)
        until(lambda: are_there(1), 120, "tracks on the disk")
        first.kill()
        first.wait()
        begin(2)
        begin(3)
        until(lambda: are_there(3), 120, "tracks of both on the disk")
        until(lambda: chunks(tmp_path, "gate"), 120, "a chunk of what the first one left, by one of the others")
        left = whole(1, len(ChunkReader(tmp_path / CHUNK).moments))
        assert (tmp_path / CHUNK).read_bytes() == encode(Chunk(ORIGIN, left))
    convert(tmp_path)
    kept = [len(ChunkReader(file.path).moments) for file in chunks(tmp_path, "gate")]
    assert len(kept) == 3
    assert not spools(tmp_path, "gate")
    assert all(there >= then for there, then in zip(sorted(kept), sorted(seen.values()), strict=True))


def test_no_more_than_two_seconds_are_neither_given_away_nor_written() -> None:
    assert keeper.GIVE_EVERY_S + writer_module._EVERY_S == 2.0


def test_what_a_worker_is_made_of_does_not_load_what_writes_parquet_or_signs_footage() -> None:
    code = """
import sys
import pipelines.commands.worker, pipelines.workers.analysis, pipelines.workers.camera, pipelines.workers.surroundings
import pipelines.tracks.writer, pipelines.tracks.keeper, pipelines.recording.footage
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = set(done.stdout.split())
    # redis asks whether there is `cryptography`, which costs nothing yet.
    assert sorted(loaded & {"pyarrow", "pandas", "scipy", "sqlalchemy", "cryptography.hazmat"}) == []
