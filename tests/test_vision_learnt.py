"""Heads on disk: what is damaged is refused in one way, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vision.aggression_head import Head
from vision.crowd_head import CrowdHead

SHIPPED = Path(__file__).resolve().parents[1] / "models"
GOOD = {Head: SHIPPED / "bullying" / "head.npz", CrowdHead: SHIPPED / "crowding" / "head.npz"}


@pytest.mark.parametrize("kind", [Head, CrowdHead])
@pytest.mark.parametrize("damage", ["empty", "text", "half", "one byte", "a field less", "objects", "missing"])
def test_a_damaged_head_is_refused_by_name(kind: type[Head] | type[CrowdHead], damage: str, tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    whole = GOOD[kind].read_bytes()
    if damage == "a field less":
        with np.load(GOOD[kind]) as held:
            np.savez(path, **{name: held[name] for name in held.files if name != "scale"})
    elif damage == "objects":
        with np.load(GOOD[kind]) as held:
            np.savez(path, **{**held, "scale": np.array([print], dtype=object)})
    elif damage != "missing":
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 0xFF
        contents = {"empty": b"", "text": b"a head", "half": whole[: len(whole) // 2], "one byte": bytes(flipped)}
        path.write_bytes(contents[damage])
    with pytest.raises(ValueError, match=r"head\.npz: is no head of the "):
        kind.load(path)


@pytest.mark.parametrize("kind", [Head, CrowdHead])
def test_what_is_written_is_what_was_read(kind: type[Head] | type[CrowdHead], tmp_path: Path) -> None:
    shipped = kind.load(GOOD[kind])
    shipped.save(tmp_path / "again.npz")
    again = kind.load(tmp_path / "again.npz")
    for name in shipped.__dataclass_fields__:
        assert np.array_equal(getattr(shipped, name), getattr(again, name)), name
