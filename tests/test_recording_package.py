"""Clips are exact to the second; packages verify anywhere, and stop to when one byte is changed."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.errors import BadInput, Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import package_verify
from pipelines.recording.blur import Box, Pixels
from pipelines.recording.clips import clips_between, cut, find_clip, incident_clip, segments_of
from pipelines.recording.coverage import Span
from pipelines.recording.holds import marks
from pipelines.recording.journal import Journal
from pipelines.recording.package import Exporter, IncidentFiles, Request
from pipelines.recording.signing import Ed25519Signer

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_MS = 1_772_438_400_000


def pictures(path: Path) -> list[Pixels]:
    """Every picture that a player shows (edit lists obeyed), as BGR."""
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0) if (frame.pts or 0) >= 0]


def seconds(path: Path) -> float:
    with av.open(str(path)) as file:
        assert file.duration is not None
        return file.duration / 1_000_000


@pytest.mark.parametrize(("from_s", "to_s"), [(0.0, 2.0), (3.0, 7.0), (2.5, 9.5), (5.3, 5.9), (0.0, 12.0)])
def test_a_clip_is_exact_although_segments_begin_at_key_frames(
    filled: FilledVolume, stream: object, tmp_path: Path, from_s: float, to_s: float
) -> None:
    filled.add(count=6)
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(stream.data)  # type: ignore[attr-defined]
    span = Span(MORNING_MS + round(from_s * 1000), MORNING_MS + round(to_s * 1000))
    target = tmp_path / "clip.mp4"
    cut(Ffmpeg.find(), filled.volume.root, segments_of(filled.index, "gate", span), span, target)
    expected, shown = pictures(whole), pictures(target)
    assert seconds(target) == pytest.approx(to_s - from_s, abs=0.11)
    first = round(from_s * 10)
    assert np.array_equal(shown[0], expected[first])
    assert len(shown) == pytest.approx((to_s - from_s) * 10, abs=1)


def test_a_clip_over_a_reconnection_jumps_over_the_hole(filled: FilledVolume, tmp_path: Path) -> None:
    filled.add(count=2)
    filled.add(count=2, start_ms=MORNING_MS + 14_000, run="ffffffff")
    span = Span(MORNING_MS + 2_000, MORNING_MS + 16_000)
    target = tmp_path / "clip.mp4"
    cut(Ffmpeg.find(), filled.volume.root, segments_of(filled.index, "gate", span), span, target)
    assert seconds(target) == pytest.approx(4.0, abs=0.25)


def test_an_incidents_clip_is_found_from_the_incident_and_from_the_time_line(filled: FilledVolume) -> None:
    filled.add(count=6)
    span = Span(MORNING_MS + 3_000, MORNING_MS + 8_000)
    common = {"incident_id": "a-1", "camera": "gate", "span": span, "now_ms": MORNING_MS + 60_000}
    clip = incident_clip(filled.index, filled.volume, Ffmpeg.find(), **common)  # type: ignore[arg-type]
    assert find_clip(filled.index, "a-1") == clip
    assert clips_between(filled.index, "gate", Span(MORNING_MS, MORNING_MS + 3_500)) == [clip]
    assert clips_between(filled.index, "gate", Span(MORNING_MS, MORNING_MS + 3_000)) == []
    assert marks(filled.index) == {"gate": [span]}
    assert hashlib.sha256((filled.volume.root / clip.path).read_bytes()).hexdigest() == clip.sha256
    assert incident_clip(filled.index, filled.volume, Ffmpeg.find(), **common) == clip  # type: ignore[arg-type]


def test_a_clip_whose_end_is_not_recorded_yet_waits(filled: FilledVolume) -> None:
    filled.add(count=3)
    span = Span(MORNING_MS + 3_000, MORNING_MS + 9_000)
    with pytest.raises(Unavailable, match="recorded up to"):
        incident_clip(
            filled.index, filled.volume, Ffmpeg.find(), incident_id="a", camera="gate", span=span, now_ms=MORNING_MS
        )
    with pytest.raises(Unavailable, match="nothing is recorded"):
        segments_of(filled.index, "yard", span)


# -- packages ---------------------------------------------------------------------------------------------------------


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


# -- RFC 8032, section 7.1 --------------------------------------------------------------------------------------------

VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS[:3])
def test_vectors_of_rfc_8032(key: str, message: str, signature: str) -> None:
    parts = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert package_verify.ed25519_verify(*parts)
    for place in (0, 31, 32, 63):
        wrong = bytearray(parts[2])
        wrong[place] ^= 1
        assert not package_verify.ed25519_verify(parts[0], parts[1], bytes(wrong))
    assert not package_verify.ed25519_verify(parts[0], parts[1] + b"x", parts[2])


def test_vector_sha_abc_of_rfc_8032() -> None:
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[3])
    assert package_verify.ed25519_verify(key, message, signature)


def test_agrees_with_the_library_and_refuses_a_signature_with_a_large_s() -> None:
    for number in range(10):
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([number])).digest())
        public, message = key.public_key().public_bytes_raw(), b"x" * number
        signature = key.sign(message)
        assert package_verify.ed25519_verify(public, message, signature)
        large = int.from_bytes(signature[32:], "little") + package_verify.L
        malleable = signature[:32] + large.to_bytes(32, "little")
        assert not package_verify.ed25519_verify(public, message, malleable)
