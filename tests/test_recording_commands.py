"""`gatewatch footage ...` as a person types it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.cli import main
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import ledger
from pipelines.recording.coverage import Cause, Gap
from pipelines.recording.footage import Footage
from pipelines.recording.holds import marks
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_MS = 1_772_438_400_000


class Site:
    """A configuration around a filled volume, and the command."""

    def __init__(self, filled: FilledVolume, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.filled = filled
        self.config = folder / "gatewatch.yaml"
        self._capsys = capsys
        self.config.write_text(
            f"data: {folder / 'data'}\n"
            "site: {timezone: Asia/Shanghai}\n"
            "cameras:\n"
            "  gate: {main: {url: 'rtsp://127.0.0.1/1'}}\n"
            f"recording: {{folder: {filled.volume.root}, reserve_free: 0}}\n"
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(["footage", words[0], "-c", str(self.config), *words[1:]])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json")[1])


@pytest.fixture
def site(filled: FilledVolume, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    filled.add(count=5)
    filled.add(count=5, start_ms=MORNING_MS + 20_000, run="ffffffff")
    with filled.index.transaction() as cursor:
        ledger.add_gap(cursor, "gate", Gap(MORNING_MS + 10_000, MORNING_MS + 20_000, Cause.NETWORK, "no connection"))
    filled.index.set_meta("alive_ms", "0")  # no recorder is at work
    return Site(filled, tmp_path, capsys)


SPAN = ("--from", "2026-03-02T16:00:00", "--to", "2026-03-02T16:00:30")


def test_coverage(site: Site) -> None:
    (day,) = site.json("coverage", *SPAN)
    assert (day["camera"], day["day"]) == ("gate", "2026-03-02")
    assert day["completeness"] == pytest.approx(66.6667)
    assert [(gap["from"], gap["to"], gap["cause"]) for gap in day["gaps"]] == [
        ("2026-03-02T08:00:10.000Z", "2026-03-02T08:00:20.000Z", "network")
    ]
    assert day["recorded_s"] + day["gap_s"] == 30.0
    assert day["promised_retention_s"] == 30 * 86400
    assert day["achieved_retention_s"] == 0.0
    code, text, _ = site.run("coverage", *SPAN)
    assert code == 0
    assert "66.667 %   longest gap 10.0 s (network)" in text
    assert "16:00:10-16:00:20" in text
    assert "########nnnn" in text.replace("+", "#")


def test_coverage_splits_local_days_and_never_begins_before_the_camera(site: Site) -> None:
    days = site.json("coverage", "--from", "2026-03-01", "--to", "2026-03-04")
    assert [day["day"] for day in days] == ["2026-03-02", "2026-03-03"]
    assert days[0]["from"] == "2026-03-02T08:00:00.000Z"
    assert days[0]["to"] == "2026-03-02T16:00:00.000Z"
    assert days[0]["recorded_s"] + days[0]["gap_s"] == 8 * 3600


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("coverage", "--camera", "yard"), "nothing is known of camera yard; the ledger knows gate"),
        (("coverage", "--from", "yesterday"), "'yesterday' is not a time"),
        (("coverage", "--from", "2026-03-02", "--to", "2026-03-01"), "is not before"),
        (("hold", "--camera", "gate", *SPAN, "--owner", "police"), "--reason is needed"),
        (("hold", "--camera", "yard", *SPAN, "--owner", "police", "--reason", "r"), "--camera: yard; there are gate"),
        (("release", "nothere", "--reason", "r"), "there is no hold nothere"),
        (("export", "--camera", "gate", *SPAN, "--evidence"), "--reason is needed"),
    ],
)
def test_bad_words_are_answered_in_one_sentence(site: Site, words: tuple[str, ...], said: str) -> None:
    code, out, err = site.run(*words)
    assert code == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_verify_names_the_damage_and_fails(site: Site) -> None:
    code, text, _ = site.run("verify")
    assert (code, text) == (0, "10 segments, 0 heads: no fault(s)\n")
    path = next(site.filled.volume.root.glob("gate/*/*/*/*/*080002*.mp4"))
    path.write_bytes(os.urandom(path.stat().st_size))
    code, text, _ = site.run("verify")
    assert code == 1
    assert "changed: gate 20260302 number 2 " in text
    assert [finding["seq"] for finding in site.json("verify")["findings"]] == [2]


def test_hold_release_and_the_audit(site: Site) -> None:
    held = site.json("hold", "--camera", "gate", *SPAN, "--owner", "police", "--reason", "case 17", "--who", "王芳")
    assert held["from"] == "2026-03-02T08:00:00.000Z"
    assert [hold["in_force"] for hold in site.json("hold", "--list")] == [True]
    assert site.json("plan")["held"] == 10
    assert site.run("release", held["hold_id"], "--reason", "closed", "--who", "李伟")[0] == 0
    assert [hold["release_reason"] for hold in site.json("hold", "--list")] == ["closed"]
    audit = Journal(site.filled.volume.journal / "audit.jsonl")
    assert [(entry.action, entry.actor) for entry in audit.entries()] == [("hold", "王芳"), ("release", "李伟")]
    assert site.run("verify", "--audit")[0] == 0
    audit.path.write_bytes(audit.path.read_bytes().replace(b"case 17", b"case 18"))
    code, text, _ = site.run("verify", "--audit")
    assert code == 1
    assert "audit line 1: entry 1 (hold) was changed" in text


def test_one_hold_over_several_cameras(site: Site) -> None:
    site.filled.add("yard", count=3)
    held = site.json("hold", "--camera", "gate,yard", *SPAN, "--owner", "police", "--reason", "case 17")
    assert held["cameras"] == ["gate", "yard"]
    plan = site.json("plan")
    assert (plan["held"], plan["deletions"]) == (13, [])
    assert site.run("release", held["hold_id"], "--reason", "closed")[0] == 0
    assert site.json("plan")["held"] == 0


def test_plan_is_a_dry_run(site: Site) -> None:
    plan = site.json("plan")  # the footage is months old
    assert len(plan["deletions"]) == 1  # a tenth of ten
    assert plan["postponed"] == 9
    assert plan["deletions"][0]["rule"] == "ceiling"
    assert len(list(site.filled.volume.root.glob("gate/*/*/*/*/*.mp4"))) == 10


def test_evidence_export(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "package"
    words = (
        "export",
        "--camera",
        "gate",
        *SPAN,
        "--evidence",
        "--reason",
        "case 17",
        "--who",
        "王芳",
        "--out",
        str(out),
    )
    code, text, _ = site.run(*words)
    assert code == 0
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["key_id"] in text
    assert set(manifest["versions"]) == {"gatewatch", "configuration", "model", "rules"}
    assert len(list((out / "segments").iterdir())) == 10
    assert oct((tmp_path / "data" / "keys" / "footage-ed25519.pem").stat().st_mode)[-3:] == "600"


def test_no_volume_is_said_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {tmp_path / 'none'}\ncameras:\n  gate: {{main: {{url: 'rtsp://127.0.0.1/1'}}}}\n")
    assert main(["footage", "coverage", "-c", str(config)]) == 1
    assert "no recording volume there" in capsys.readouterr().err


def test_rebuild_brings_everything_back(site: Site) -> None:
    words = ("hold", "--camera", "gate", *SPAN, "--owner", "police", "--reason", "case 17", "--who", "王芳")
    held = site.json(*words)
    ledger_lines = Journal(site.filled.volume.journal / "ledger.jsonl")
    data = {"camera": "gate", "from_ms": MORNING_MS + 10_000, "to_ms": MORNING_MS + 20_000, "cause": "network"}
    ledger_lines.append(
        at_ms=1, action="hole", actor="recorder", reason="", data={**data, "detail": "no connection", "inside": False}
    )
    clock = FakeClock(MORNING_MS / 1000 + 3600)
    footage = Footage(site.filled.volume, Ffmpeg.find(), clock, pre_s=1.0, post_s=1.0)
    clip = footage.make_clip("case-1", "gate", MORNING_MS / 1000 + 2, MORNING_MS / 1000 + 4)
    footage.keep_incident("case-2", "gate", MORNING_MS / 1000 + 2, MORNING_MS / 1000 + 3)
    footage.keep_incident("case-2", "gate", MORNING_MS / 1000 + 2, MORNING_MS / 1000 + 6)
    marked = marks(site.filled.index)
    before = site.json("coverage", *SPAN)
    site.filled.index.close()
    site.filled.volume.index.write_bytes(b"not a database at all" * 100)
    code, _, err = site.run("coverage", *SPAN)
    assert code == 1
    assert "gatewatch footage rebuild" in err
    assert site.json("rebuild") == {"adopted": 10, "quarantined": []}
    assert site.json("coverage", *SPAN) == before
    assert [hold["hold_id"] for hold in site.json("hold", "--list")] == [held["hold_id"]]
    assert site.run("verify")[0] == 0
    with Index.open(site.filled.volume.index) as index:
        assert ledger.last_end_ms(index, "gate") == MORNING_MS + 30_000
        assert marks(index) == marked, "an incident's footage is still kept longer"
    assert footage.clip("case-1") == replace(clip, holes=())
