from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.events.envelope import Event
from pipelines.workers.state import CameraState, StateError, StateFile
from vision.track import TrackState


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


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["engine", "pictures", "路边"]), PLAIN))
def test_any_plain_values_come_back_to_the_bit(snapshot: dict[str, Any]) -> None:
    """Numbers too: an engine goes on from them exactly. As `json.dumps` had written them, for older states and other readers."""
    with TemporaryDirectory() as folder:
        StateFile(Path(folder), "gate-north").save(CameraState(0.1 + 0.2, snapshot, ()), durable=False)
        raw = json.loads((Path(folder) / "gate-north.json").read_bytes())
    assert repr(raw["snapshot"]) == repr(json.loads(json.dumps(snapshot)))
    assert raw["time_s"] == 0.1 + 0.2


def test_numbers_of_numpy_and_those_that_are_none_are_kept_as_before(tmp_path: Path) -> None:
    odd = {"far": math.inf, "seen": np.float64(1 / 3), "rows": (1, 2), 7: TrackState.LOST}
    StateFile(tmp_path, "gate-north").save(CameraState(1.0, odd, ()))  # type: ignore[arg-type]
    loaded = StateFile(tmp_path, "gate-north").load()
    assert loaded is not None
    assert loaded.snapshot == json.loads(json.dumps(odd))


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
