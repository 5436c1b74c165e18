from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.files import inside, json_object, write_atomically


def test_replaces_the_content_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_failed_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_disk_that_takes_a_part_at_a_time_gets_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, content: write(descriptor, content[:1000]))
    content = os.urandom(12_345)
    write_atomically(tmp_path / "picture.jpg", content, durable=False)
    assert (tmp_path / "picture.jpg").read_bytes() == content


def test_an_open_file_is_closed_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    write_atomically(tmp_path / "state.json", b"new")

    def full_disk(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full_disk)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            write_atomically(tmp_path / "state.json", b"newer")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert (tmp_path / "state.json").read_bytes() == b"new"


@pytest.mark.parametrize(
    "name", ["a\0b", "a\ud800", "..", "", ".", "/etc/hostname", "x/../../y", "out/hostname", "round"]
)
def test_a_name_from_outside_leads_to_nothing_outside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "out").symlink_to("/etc")
    (folder / "round").symlink_to(folder / "round")
    assert inside(folder, name) is None
    assert inside(folder, "day/../day/one.jpg") == folder.resolve() / "day" / "one.jpg"


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a": ', b"\xff{}", b"[" * 100_000, None])
def test_a_damaged_file_has_nothing_written_in_it(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "note.json"
    if content is not None:
        path.write_bytes(content)
    assert json_object(path) == {}
    path.write_bytes(b'{"a": 1}')
    assert json_object(path) == {"a": 1}
