"""The chained journal: nothing can be taken out, changed or put in between unseen."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipelines.recording.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "audit.jsonl")
    for number in range(1, 6):
        journal.append(at_ms=number, action="export", actor="王芳", reason=f"case {number}", data={"n": number})
    return journal


def test_an_untouched_journal_is_sound(journal: Journal) -> None:
    assert journal.verify() == []
    assert [entry.number for entry in journal.entries()] == [1, 2, 3, 4, 5]
    assert journal.end()[0] == 5


def test_every_single_changed_byte_is_found(journal: Journal) -> None:
    data = journal.path.read_bytes()
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 0x01
        journal.path.write_bytes(damaged)
        assert journal.verify() != [], place


def test_a_removed_line_is_found(journal: Journal) -> None:
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert [fault.line for fault in journal.verify()] == [3]


def test_swapped_lines_are_found(journal: Journal) -> None:
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert [fault.line for fault in journal.verify()] == [2, 3, 4]


def test_a_cut_off_end_is_found_by_what_was_signed(journal: Journal) -> None:
    number, digest = journal.end()
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:3]))
    assert journal.verify() == []
    assert journal.verify(ends={number: digest}) != []


def test_half_a_line_of_a_power_cut_is_cut_off_before_the_next(journal: Journal) -> None:
    with journal.path.open("ab") as file:
        file.write(b'{"action":"exp')
    assert journal.append(at_ms=9, action="view", actor="a", reason="", data={}).number == 6
    assert journal.verify() == []


def test_many_writers_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write() -> None:
        for number in range(20):
            Journal(path).append(at_ms=number, action="view", actor="a", reason="", data={"long": "x" * 9000})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Journal(path).verify() == []
    assert Journal(path).end()[0] == 80
