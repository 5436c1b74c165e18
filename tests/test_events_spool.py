from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import BadInput
from pipelines.events.spool import Spool, SpoolFull


def opened(folder: Path, **bounds: int) -> Spool:
    spool = Spool(folder, **bounds)
    spool.open()
    return spool


def drain(spool: Spool, step: int = 3) -> list[bytes]:
    out: list[bytes] = []
    while batch := spool.peek(step):
        out += batch
        spool.drop(len(batch))
    return out


def test_order_over_many_segments_and_reopenings(tmp_path: Path) -> None:
    bodies = [b"message %d" % number for number in range(50)]
    spool = opened(tmp_path, segment_bytes=100)
    for body in bodies[:30]:
        spool.append(body)
    spool.drop(7)
    spool.close()
    spool = opened(tmp_path, segment_bytes=100)
    assert len(spool) == 23
    for body in bodies[30:]:
        spool.append(body)
    assert drain(spool) == bodies[7:]
    assert (len(spool), spool.size_bytes) == (0, 0)
    spool.append(b"after")
    spool.close()
    assert opened(tmp_path).peek(9) == [b"after"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_last_line_was_never_promised(tmp_path: Path, cut: int) -> None:
    spool = opened(tmp_path)
    spool.append(b"whole")
    spool.append(b"torn")
    spool.close()
    segment = next(tmp_path.glob("*.spool"))
    segment.write_bytes(segment.read_bytes()[:-cut])
    spool = opened(tmp_path)
    assert len(spool) == 1
    spool.append(b"next")
    assert drain(spool) == [b"whole", b"next"]


def test_a_damaged_line_in_the_middle_costs_only_itself(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for body in (b"one", b"two", b"three"):
        spool.append(body)
    spool.close()
    segment = next(tmp_path.glob("*.spool"))
    segment.write_bytes(segment.read_bytes().replace(b"two", b"tWo"))
    spool = opened(tmp_path)
    assert len(spool) == 2
    assert drain(spool, 1) == [b"one", b"three"]


def test_a_crash_before_the_cursor_repeats_and_never_loses(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for body in (b"one", b"two"):
        spool.append(body)
    before = (tmp_path / "cursor").read_bytes() if (tmp_path / "cursor").exists() else None
    spool.drop(1)
    spool.close()
    if before is None:
        (tmp_path / "cursor").unlink()
    assert opened(tmp_path).peek(9) == [b"one", b"two"]


def test_a_cursor_of_a_segment_that_is_gone_hides_nothing(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append(b"one")
    spool.drop(1)
    spool.close()
    (tmp_path / "cursor").write_text("1 400\n")
    spool = opened(tmp_path)
    spool.append(b"two")
    spool.close()
    assert opened(tmp_path).peek(9) == [b"two"]


@pytest.mark.parametrize("cursor", ["", "x y", "1", "\x00\x00", "999 5"])
def test_a_damaged_cursor_is_no_end(tmp_path: Path, cursor: str) -> None:
    spool = opened(tmp_path)
    spool.append(b"one")
    spool.close()
    (tmp_path / "cursor").write_text(cursor)
    if cursor == "999 5":
        # It says that everything before segment 999 was sent; that is what a cursor means.
        assert opened(tmp_path).peek(9) == []
    else:
        assert opened(tmp_path).peek(9) == [b"one"]


def test_the_bound_is_kept_and_said(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=60)
    spool.append(b"x" * 30)
    with pytest.raises(SpoolFull, match="1 messages"):
        spool.append(b"x" * 30)
    assert drain(spool) == [b"x" * 30]
    spool.append(b"x" * 30)
    assert len(spool) == 1


def test_one_folder_one_process(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    with pytest.raises(BadInput, match="another process"):
        opened(tmp_path)
    spool.close()
    opened(tmp_path).close()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file"):
        opened(tmp_path / "file" / "spool")


def test_a_message_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        opened(tmp_path).append(b"a\nb")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["append", "drop", "reopen"]), st.integers(0, 4)), max_size=40))
def test_it_is_a_queue_whatever_happens(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool, model, number = opened(folder, segment_bytes=64), [], 0
    for step, count in steps:
        if step == "append":
            for _ in range(count):
                body = b"body %d" % number
                number += 1
                spool.append(body)
                model.append(body)
        elif step == "drop":
            dropped = min(count, len(model))
            spool.drop(dropped)
            model = model[dropped:]
        else:
            spool.close()
            spool = opened(folder, segment_bytes=64)
        assert len(spool) == len(model)
        assert spool.peek(100) == model
    spool.close()
