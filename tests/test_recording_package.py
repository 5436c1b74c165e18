"""Packages verify anywhere, and stop to when one byte is changed."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipelines.errors import BadInput, Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import package_verify
from pipelines.recording.blur import Box, Pixels
from pipelines.recording.clips import segments_of
from pipelines.recording.coverage import Span
from pipelines.recording.journal import Journal
from pipelines.recording.package import Exporter, IncidentFiles, Request
from pipelines.recording.signing import Ed25519Signer
from pipelines.recording.testing import pictures

if TYPE_CHECKING:
    from conftest import FilledVolume


MORNING_MS = 1_772_438_400_000


@pytest.fixture
def exporter(filled: FilledVolume, tmp_path: Path) -> Exporter:
    filled.add(count=3)
    filled.add(count=3, start_ms=MORNING_MS + 10_000)
    return Exporter(filled.index, filled.volume, Ffmpeg.find(), Ed25519Signer.load(tmp_path / "key.pem"))


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    picture = tmp_path / "limit.jpg"
    picture.write_bytes(b"\xff\xd8 not a real picture \xff\xd9")
    span = Span(MORNING_MS + 3_000, MORNING_MS + 13_000)
    incident = IncidentFiles("a-1", {"incident_id": "a-1", "kind": "illegal_parking"}, [picture])
    return Request("gate", span, "case 17", "王芳", {"gatewatch": "0.1.0"}, [incident])


def verify(place: Path, key: str | None, folder: Path) -> tuple[int, str]:
    """Run the package's own program as a stranger would: the system's Python, an empty environment, nothing installed."""
    interpreter = getattr(sys, "_base_executable", sys.executable)
    command = [interpreter, "-I", "-S", str(folder / "verify.py"), str(place), *(["--key", key] if key else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd="/")
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_evidence_verifies_without_gatewatch(
    exporter: Exporter, request_: Request, tmp_path: Path, filled: FilledVolume
) -> None:
    manifest = exporter.evidence(request_, tmp_path / "out", MORNING_MS + 60_000)
    out = tmp_path / "out"
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert len([name for name in names if name.startswith("segments/")]) == 4
    assert "video/gate.mp4" in names
    assert [name.split("/")[-1] for name in names if name.startswith("incidents/")] == ["1.jpg", "incident.json"]
    assert [(hole["from"], hole["to"], hole["cause"]) for hole in manifest["holes"]] == [
        ("2026-03-02T08:00:06.000Z", "2026-03-02T08:00:10.000Z", "unknown")
    ]
    assert manifest["clock"]["evidence_grade"] is False
    assert (manifest["reason"], manifest["made_by"]) == ("case 17", "王芳")
    code, said = verify(out, manifest["key_id"], out)
    assert (code, said.splitlines()[-1]) == (0, "VERIFIED")
    assert "hole: 2026-03-02T08:00:06.000Z" in said
    assert f"clock: NOT evidence grade: {manifest['clock']['why']}" in said
    code, said = verify(out, None, out)
    assert (code, "by whom is not known" in said) == (0, True)
    code, said = verify(out, "00" * 32, out)
    assert (code, "signed with another key" in said) == (1, True)
    audit = list(Journal(filled.volume.journal / "audit.jsonl").entries())
    assert [(entry.action, entry.actor, entry.reason) for entry in audit] == [("export", "王芳", "case 17")]


def nobody(_picture: Pixels) -> list[Box]:
    return []


def flipped(data: bytes, dice: random.Random) -> list[bytes]:
    """The first, the last and one other byte changed, one at a time."""
    copies = []
    for place in {0, len(data) - 1, dice.randrange(len(data))}:
        damaged = bytearray(data)
        damaged[place] ^= 0x20
        copies.append(bytes(damaged))
    return copies


def make(exporter: Exporter, kind: str, request: Request, target: Path) -> str:
    """A package; returns its key's fingerprint."""
    if kind == "evidence":
        manifest = exporter.evidence(request, target, MORNING_MS + 60_000)
    else:
        manifest = exporter.blurred(request, target, MORNING_MS + 60_000, nobody)
    return str(manifest["key_id"])


@pytest.mark.parametrize("kind", ["evidence", "blurred"])
def test_one_changed_byte_in_any_file_of_a_folder_is_found(
    exporter: Exporter, request_: Request, tmp_path: Path, kind: str
) -> None:
    out, dice = tmp_path / "out", random.Random(7)
    key = make(exporter, kind, request_, out)
    pristine = tmp_path / "verify"
    pristine.mkdir()
    (pristine / "verify.py").write_bytes((out / "verify.py").read_bytes())
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert {path.name for path in files} >= {"manifest.json", "manifest.sig", "verify.py", "README.txt", "gate.mp4"}
    for path in files:
        data = path.read_bytes()
        for damaged in flipped(data, dice):
            path.write_bytes(damaged)
            assert package_verify.main([str(out), "--key", key]) == 1, path.name
        path.write_bytes(data)
    assert verify(out, key, pristine)[0] == 0
    (out / "more.txt").write_text("x")
    assert "was not in the package" in verify(out, key, pristine)[1]
    (out / "more.txt").unlink()
    (out / "video" / "gate.mp4").unlink()
    assert "is missing" in verify(out, key, pristine)[1]


@pytest.mark.parametrize("kind", ["evidence", "blurred"])
def test_one_changed_byte_in_any_file_of_a_zip_is_found(
    exporter: Exporter, request_: Request, tmp_path: Path, kind: str
) -> None:
    """Packed anew around the changed file, so that the zip's own check sums fit; and without: as it lies on the disk."""
    out, damaged, dice = tmp_path / "out.zip", tmp_path / "damaged.zip", random.Random(7)
    key = make(exporter, kind, request_, out)
    with zipfile.ZipFile(out) as file:
        content = {info.filename: file.read(info) for info in file.infolist()}
        places = {info.filename: info.header_offset + 30 + len(info.filename) for info in file.infolist()}

    def pack(files: list[tuple[str, bytes]]) -> int:
        with zipfile.ZipFile(damaged, "w") as packed:
            for name, data in files:
                packed.writestr(name, data)
        return package_verify.main([str(damaged), "--key", key])

    assert pack(list(content.items())) == 0
    raw = out.read_bytes()
    for name, data in content.items():
        for other in flipped(data, dice):
            assert pack([(one, other if one == name else kept) for one, kept in content.items()]) == 1, name
        bent = bytearray(raw)
        bent[places[name] + dice.randrange(len(data))] ^= 1
        damaged.write_bytes(bent)
        assert package_verify.main([str(damaged), "--key", key]) == 1, name
    # A second file of the same name, which another program might unpack instead of the signed one.
    twice = [(next(name for name in content if name.endswith("gate.mp4")), b"another"), *content.items()]
    with pytest.warns(UserWarning, match="Duplicate name"):
        assert pack(twice) == 1


def test_a_segment_exchanged_together_with_the_manifest_needs_another_key(
    exporter: Exporter, request_: Request, tmp_path: Path
) -> None:
    key = exporter.evidence(request_, tmp_path / "out", MORNING_MS + 60_000)["key_id"]
    out = tmp_path / "out"
    forged = sorted((out / "segments").iterdir())[0]
    forged.write_bytes(forged.read_bytes()[:-1] + b"!")
    manifest = json.loads((out / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        if entry["path"] == f"segments/{forged.name}":
            entry["sha256"] = hashlib.sha256(forged.read_bytes()).hexdigest()
    other = Ed25519Signer.load(tmp_path / "other.pem")
    manifest["public_key"] = other.public_key.hex()
    raw = json.dumps(manifest).encode()
    (out / "manifest.json").write_bytes(raw)
    (out / "manifest.sig").write_text(other.sign(raw).hex() + "\n")
    code, said = verify(out, key, out)
    assert code == 1
    assert "signed with another key" in said
    assert "is no link of the chain" in said


def test_a_zip_verifies_too(exporter: Exporter, request_: Request, tmp_path: Path) -> None:
    target = tmp_path / "case-17.zip"
    manifest = exporter.evidence(request_, target, MORNING_MS + 60_000)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "verify.py").write_text(Path(package_verify.__file__).read_text())
    assert verify(target, manifest["key_id"], folder)[0] == 0
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    assert verify(target, manifest["key_id"], folder)[0] == 1


def test_a_blurred_copy_hides_and_claims_no_bytes(exporter: Exporter, request_: Request, tmp_path: Path) -> None:
    def find(picture: Pixels) -> list[Box]:
        return [Box("person", 100, 60, 160, 200), Box("vehicle", 200, 100, 300, 160)]

    manifest = exporter.blurred(request_, tmp_path / "out", MORNING_MS + 60_000, find)
    out = tmp_path / "out"
    assert not (out / "segments").exists()
    assert not (out / "incidents").exists()
    assert manifest["chain"] == []
    assert len(manifest["sources"]) == 4
    picture = pictures(out / "video" / "gate.mp4")[10]
    head = picture[62:100, 105:155].astype(int)
    assert np.median(np.abs(np.diff(head, axis=1))) <= 2  # blocks, no detail
    code, said = verify(out, manifest["key_id"], out)
    assert (code, "proves no byte" in said) == (0, True)


def test_a_detector_that_fails_ends_the_export(exporter: Exporter, request_: Request, tmp_path: Path) -> None:
    def find(_picture: Pixels) -> list[Box]:
        raise Unavailable("the detector failed")

    with pytest.raises(Unavailable, match="the detector failed"):
        exporter.blurred(request_, tmp_path / "out", MORNING_MS + 60_000, find)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".export-*"))


def test_damaged_footage_does_not_go_out_as_evidence(
    exporter: Exporter, request_: Request, tmp_path: Path, filled: FilledVolume
) -> None:
    segment = segments_of(filled.index, "gate", request_.span)[1]
    path = filled.path(segment)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(Unavailable, match="is not what was recorded"):
        exporter.evidence(request_, tmp_path / "out", MORNING_MS + 60_000)


def test_an_export_needs_a_reason_and_a_new_name(exporter: Exporter, request_: Request, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="needs a reason"):
        exporter.evidence(Request("gate", request_.span, " ", "a"), tmp_path / "out", MORNING_MS)
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInput, match="exists already"):
        exporter.evidence(request_, tmp_path / "out", MORNING_MS)
