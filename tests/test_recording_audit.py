"""The audit: a changed configuration stands in it, with what, who and why; and no secret ever does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.commands.record import _note
from pipelines.config import load
from pipelines.recording.changes import note_configuration
from pipelines.recording.journal import Entry, Journal

if TYPE_CHECKING:
    from conftest import FilledVolume

SITE = """
change: {{who: {who}, why: {why}}}
cameras:
  gate: {{main: {{url: 'rtsp://guard:s3cret@192.0.2.1/1'}}, recording: {{keep: {keep}}}}}
channels: {{webhook: {{url: 'https://192.0.2.9/', secret: t0psecret}}}}
"""


class Site:
    def __init__(self, filled: FilledVolume, folder: Path) -> None:
        self.filled = filled
        self.file = folder / "site.yaml"

    def write(self, keep: str = "40d", who: str = "null", why: str = "null") -> None:
        """A configuration, and what `record` does at its start and when the file has changed."""
        self.file.write_text(SITE.format(keep=keep, who=who, why=why))
        _note(load(self.file), self.filled.volume)

    def audit(self) -> list[Entry]:
        journal = Journal(self.filled.volume.journal / "audit.jsonl")
        assert journal.verify() == []
        return list(journal.entries())


@pytest.fixture
def site(filled: FilledVolume, tmp_path: Path) -> Site:
    return Site(filled, tmp_path)


def test_a_change_stands_in_it_once_with_what_who_and_why(site: Site) -> None:
    site.write()
    site.write()
    site.write("60d", "王芳", "the bureau asks for it")
    site.write("60d", "王芳", "the bureau asks for it")
    first, change = site.audit()
    assert first.data["before"] is None
    assert first.actor.startswith("owner of the file: ")
    assert (change.action, change.actor, change.reason) == ("configuration", "王芳", "the bureau asks for it")
    assert change.data["changed"] == {"cameras.gate.recording.keep": ["40d", "60d"]}
    assert (change.data["before"], change.data["version"]) == (first.data["version"], load(site.file).version)


def test_a_reason_that_is_as_it_was_says_nothing_of_this_change(site: Site) -> None:
    site.write("40d", "王芳", "first")
    site.write("60d", "王芳", "first")
    assert [entry.reason[:8] for entry in site.audit()] == ["first", "not said"]


def test_no_secret_is_in_it(site: Site) -> None:
    site.write()
    text = (
        SITE.format(keep="40d", who="null", why="null").replace("s3cret", "0ther").replace("192.0.2.1/1", "192.0.2.7/1")
    )
    site.file.write_text(text)
    _note(load(site.file), site.filled.volume)
    change = site.audit()[-1]
    assert set(change.data["changed"]) == {"cameras.gate.main.url"}
    written = (site.filled.volume.journal / "audit.jsonl").read_text()
    stored = site.filled.index.meta("configuration") or ""
    for secret in ("s3cret", "0ther", "t0psecret"):
        assert secret not in written
        assert secret not in stored


def test_a_flood_of_changes_stays_one_readable_line(site: Site) -> None:
    audit = Journal(site.filled.volume.journal / "audit.jsonl")
    for number in range(2):
        values: dict[str, Any] = {f"key{key}": "x" * 1000 + str(number) for key in range(300)}
        note_configuration(site.filled.index, audit, values, version=f"v{number}", owner="o", now_ms=1)
    change = site.audit()[-1]
    assert (change.data["changes"], len(change.data["changed"])) == (300, 100)
    assert len(change.line()) < 60_000
