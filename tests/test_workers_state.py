from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.events.envelope import Event
from pipelines.workers.state import CameraState, StateError, StateFile


def an_event(number: int) -> Event:
    return Event(
        id=f"case-1:{number}",
        type="incident.opened",
        source="/cameras/gate-north",
        subject="case-1",
        time="2026-09-01T00:00:00.000Z",
        config_version="0123456789ab",
        data={"kind": "illegal_parking", "zone": "路边", "score": 0.91},
    )


def test_there_is_none_before_the_first_save(tmp_path: Path) -> None:
    assert StateFile(tmp_path / "state", "gate-north").load() is None


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    state = CameraState(1_790_000_000.25, {"engine": {"cases": [1, 2]}, "pictures": {}}, (an_event(1), an_event(2)))
    StateFile(tmp_path / "state", "gate-north").save(state)
    assert StateFile(tmp_path / "state", "gate-north").load() == state
    assert StateFile(tmp_path / "state", "gate-south").load() is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 99, "time_s": 1, "snapshot": {}, "unpublished": []}',
        b'{"version": 1, "time_s": 1, "snapshot": {}, "unpublished": [{"id": "x"}]}',
        b'{"version": 1, "time_s": "soon", "snapshot": {}, "unpublished": []}',
    ],
)
def test_a_damaged_file_is_named_and_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gate-north.json").write_bytes(content)
    file = StateFile(tmp_path, "gate-north")
    with pytest.raises(StateError, match=r"gate-north\.json\.damaged"):
        file.load()
    assert (tmp_path / "gate-north.json.damaged").read_bytes() == content
    assert file.load() is None
