"""`verify` finds exactly the damage that was done, and disk and index find together again."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from pipelines.errors import BadInput
from pipelines.recording import ledger
from pipelines.recording.coverage import Span
from pipelines.recording.heads import FolderChannel, Heads, HttpChannel, stored
from pipelines.recording.layout import PART
from pipelines.recording.reconcile import Reconciler
from pipelines.recording.signing import Ed25519Signer
from pipelines.recording.verify import Verifier, verify_heads
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_MS = 1_772_438_400_000
DAY = 20260302


def findings(filled: FilledVolume, camera: str = "gate") -> list[tuple[str, int]]:
    verdict = Verifier(filled.index, filled.volume).run(camera, (0, 99999999))
    return [(finding.what, finding.seq) for finding in verdict.findings]


def reconciler(filled: FilledVolume) -> Reconciler:
    return Reconciler(filled.index, filled.volume, FakeClock(MORNING_MS / 1000 + 60), {})


def causes(filled: FilledVolume) -> list[tuple[int, int, str]]:
    span = Span(MORNING_MS, MORNING_MS + 20_000)
    coverage = ledger.coverage(filled.index, "gate", span, MORNING_MS + 20_000)
    return [(gap.from_ms - MORNING_MS, gap.to_ms - MORNING_MS, gap.cause.value) for gap in coverage.gaps]


def test_untouched_footage_is_sound(filled: FilledVolume) -> None:
    filled.add(count=10)
    filled.add("yard", count=3)
    assert findings(filled) == []
    assert findings(filled, "yard") == []
    assert causes(filled) == []


def test_one_changed_byte_anywhere_is_found(filled: FilledVolume) -> None:
    segment = filled.add(count=3)[1]
    path = filled.path(segment)
    data = path.read_bytes()
    for place in (0, 20, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        assert findings(filled) == [("changed", 2)]
    path.write_bytes(data)
    assert findings(filled) == []


def test_a_segment_overwritten_by_random_bytes(filled: FilledVolume) -> None:
    segment = filled.add(count=10)[4]
    path = filled.path(segment)
    path.write_bytes(os.urandom(path.stat().st_size))
    assert findings(filled) == [("changed", 5)]
    found = reconciler(filled).run_once(set())
    assert found.quarantined == [segment.path]
    assert (filled.volume.quarantine / segment.path).exists()
    assert findings(filled) == [("changed", 5)]
    assert causes(filled) == [(8000, 10000, "unknown")]


def test_a_deleted_file(filled: FilledVolume) -> None:
    segment = filled.add(count=10)[6]
    kept = filled.path(segment).read_bytes()
    filled.path(segment).unlink()
    assert findings(filled) == [("missing", 7)]
    assert reconciler(filled).run_once(set()).missing == [segment.path]
    assert findings(filled) == [("missing", 7)]
    assert causes(filled) == [(12000, 14000, "unknown")]
    filled.path(segment).write_bytes(kept)
    assert reconciler(filled).run_once(set()).returned == [segment.path]
    assert findings(filled) == []
    assert causes(filled) == []


@pytest.mark.parametrize("seq", [1, 5, 10])
def test_a_deleted_row_is_named_and_comes_back_to_its_place(filled: FilledVolume, seq: int) -> None:
    segments = filled.add(count=10)
    with filled.index.transaction() as cursor:
        cursor.execute("DELETE FROM segments WHERE seq = ?", (seq,))
    # Without a later row or a head nothing says that there was a last one; the disk does.
    assert findings(filled) == ([] if seq == 10 else [("row_missing", seq)])
    assert causes(filled) == [((seq - 1) * 2000, seq * 2000, "unknown")]
    assert reconciler(filled).run_once(set()).adopted == [segments[seq - 1].path]
    assert findings(filled) == []
    assert causes(filled) == []


def test_two_swapped_files(filled: FilledVolume) -> None:
    segments = filled.add(count=5)
    a, b = filled.path(segments[1]), filled.path(segments[3])
    one, other = a.read_bytes(), b.read_bytes()
    a.write_bytes(other)
    b.write_bytes(one)
    assert findings(filled) == [("swapped", 2), ("swapped", 4)]


def test_reordered_rows_and_changed_times(filled: FilledVolume) -> None:
    filled.add(count=5)
    with filled.index.transaction() as cursor:
        cursor.execute("UPDATE segments SET seq = 99 WHERE seq = 2")
        cursor.execute("UPDATE segments SET seq = 2 WHERE seq = 3")
        cursor.execute("UPDATE segments SET seq = 3 WHERE seq = 99")
    assert {finding for finding in findings(filled) if finding[0] == "reordered"} == {
        ("reordered", 2),
        ("reordered", 3),
    }


def test_a_row_whose_time_was_changed(filled: FilledVolume) -> None:
    segment = filled.add(count=5)[2]
    with filled.index.transaction() as cursor:
        cursor.execute("UPDATE segments SET end_ms = end_ms + 60000 WHERE seq = 3")
    assert findings(filled) == [("row_changed", segment.seq)]


@pytest.mark.parametrize("cut", [1.0, 0.99, 0.7, 0.4])
def test_a_part_left_by_a_crash_is_adopted_up_to_its_last_whole_fragment(
    filled: FilledVolume, stream: object, cut: float
) -> None:
    from pipelines.recording.segments import SegmentWriter

    filled.add(count=2)
    writer = SegmentWriter(filled.volume.root, "gate", "0a1b2c3d", MORNING_MS + 4000, stream.init)  # type: ignore[attr-defined]
    writer.open()
    for fragment in stream.fragments[:3]:  # type: ignore[attr-defined]
        writer.append(fragment.data)
    with writer.path.open("r+b") as file:
        file.truncate(int(writer.size_bytes * cut))
    found = reconciler(filled).sweep()
    assert len(found.adopted) == 1
    adopted = ledger.segments(filled.index, "gate", Span(MORNING_MS + 4000, MORNING_MS + 9000))
    whole = {1.0: 3, 0.99: 2, 0.7: 2, 0.4: 1}[cut]
    assert adopted[0].duration_s == pytest.approx(whole, abs=0.01)
    assert not list(filled.volume.root.rglob(f"*{PART}"))
    assert findings(filled) == []


def test_an_empty_part_is_removed_and_rubbish_goes_into_quarantine(filled: FilledVolume) -> None:
    folder = filled.path(filled.add()[0]).parent
    (folder / "20260302T080010.000Z-0a1b2c3d.mp4.part").write_bytes(b"")
    (folder / "20260302T080020.000Z-0a1b2c3d.mp4").write_bytes(os.urandom(5000))
    found = reconciler(filled).sweep()
    assert found.adopted == []
    assert [Path(path).name for path in found.quarantined] == ["20260302T080020.000Z-0a1b2c3d.mp4"]
    assert [path.name for path in folder.iterdir()] == ["20260302T080000.000Z-0a1b2c3d.mp4"]


def test_the_whole_index_can_be_rebuilt_from_the_disk(filled: FilledVolume) -> None:
    filled.add(count=4)
    filled.add("yard", count=3, start_ms=MORNING_MS + 86_400_000)
    before = filled.index.read(
        "SELECT camera, day, seq, start_ms, sha256, link FROM segments ORDER BY 1, 2, 3"
    ).fetchall()
    with filled.index.transaction() as cursor:
        cursor.execute("DELETE FROM segments")
    assert len(reconciler(filled).everything().adopted) == 7
    after = filled.index.read(
        "SELECT camera, day, seq, start_ms, sha256, link FROM segments ORDER BY 1, 2, 3"
    ).fetchall()
    assert after == before
    assert findings(filled) == []


# -- daily heads ------------------------------------------------------------------------------------------------------


@pytest.fixture
def headed(filled: FilledVolume, tmp_path: Path) -> tuple[FilledVolume, Ed25519Signer, Path]:
    filled.add(count=4)
    filled.add(count=2, start_ms=MORNING_MS + 86_400_000)
    filled.add(count=2, start_ms=MORNING_MS + 2 * 86_400_000)
    signer = Ed25519Signer.load(tmp_path / "key.pem")
    away = tmp_path / "away"
    clock = FakeClock(MORNING_MS / 1000 + 2 * 86400)
    heads = Heads(filled.volume, signer, FolderChannel(away), clock)
    assert heads.run_once(filled.index) == 2
    assert heads.run_once(filled.index) == 0
    return filled, signer, away


def test_heads_are_signed_chained_and_sent_away(headed: tuple[FilledVolume, Ed25519Signer, Path]) -> None:
    filled, signer, away = headed
    assert sorted(path.name for path in away.iterdir()) == ["gate-20260302.json", "gate-20260303.json"]
    assert verify_heads(filled.index, signer.public_key, away) == []
    assert findings(filled) == []
    assert stored(filled.index, unsent=True) == []


def test_a_chain_cut_off_or_made_anew_after_its_head_is_found(headed: tuple[FilledVolume, Ed25519Signer, Path]) -> None:
    filled, _, _ = headed
    with filled.index.transaction() as cursor:
        cursor.execute("DELETE FROM segments WHERE day = ? AND seq = 4", (DAY,))
    assert findings(filled) == [("head", 0)]


def test_a_head_made_anew_with_the_machines_own_key_differs_from_the_one_sent_away(
    headed: tuple[FilledVolume, Ed25519Signer, Path],
) -> None:
    filled, signer, away = headed
    with filled.index.transaction() as cursor:
        cursor.execute("DELETE FROM segments WHERE day = ? AND seq = 4", (DAY,))
        cursor.execute("DELETE FROM heads")
    (filled.volume.root / "journal" / "ledger.jsonl").unlink()
    Heads(filled.volume, signer, None, FakeClock(MORNING_MS / 1000 + 2 * 86400)).run_once(filled.index)
    assert findings(filled) == []  # by itself it is sound again
    assert [finding.day for finding in verify_heads(filled.index, signer.public_key, away)] == [DAY, DAY + 1]


def test_a_wrong_signature_and_another_key_are_found(
    headed: tuple[FilledVolume, Ed25519Signer, Path], tmp_path: Path
) -> None:
    filled, signer, _ = headed
    other = Ed25519Signer.load(tmp_path / "other.pem")
    assert len(verify_heads(filled.index, other.public_key)) == 2
    head = stored(filled.index)[0]
    with filled.index.transaction() as cursor:
        body = json.dumps({**head.body, "bytes": 1}, sort_keys=True, separators=(",", ":"))
        cursor.execute("UPDATE heads SET body = ? WHERE day = ?", (body, head.day))
    assert [finding.detail for finding in verify_heads(filled.index, signer.public_key)] == ["the signature is wrong"]


def test_a_late_adopted_segment_does_not_disturb_a_signed_day(headed: tuple[FilledVolume, Ed25519Signer, Path]) -> None:
    filled, signer, away = headed
    (late,) = filled.add(start_ms=MORNING_MS + 60_000, run="ffffffff")
    assert late.day == DAY + 2, "its place in the chain is in a day that is not signed yet"
    assert findings(filled) == []
    assert verify_heads(filled.index, signer.public_key, away) == []


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    Ed25519Signer.load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        Ed25519Signer.load(path)


def test_a_recorder_that_is_gone_is_a_gap_until_now_and_what_grows_is_none(filled: FilledVolume) -> None:
    filled.add(count=3)
    now_ms = MORNING_MS + 20_000
    filled.index.set_meta("alive_ms", str(now_ms - 2_000))
    assert ledger.accounted_until(filled.index, "gate", now_ms) == MORNING_MS + 6_000
    late_ms = now_ms + 3_600_000
    assert ledger.accounted_until(filled.index, "gate", late_ms) == late_ms
    (gap,) = ledger.coverage(filled.index, "gate", Span(MORNING_MS, late_ms), late_ms).gaps
    assert (gap.from_ms, gap.to_ms, gap.cause.value) == (MORNING_MS + 6_000, late_ms, "restart")


class _Receiver(BaseHTTPRequestHandler):
    """Takes heads once `answers` says so."""

    answers = 500
    took: ClassVar[list[tuple[str, bytes]]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.took.append((self.headers["Idempotency-Key"], body))
        self.send_response(self.answers)
        self.end_headers()


def test_heads_go_to_an_address_and_wait_until_it_takes_them(filled: FilledVolume, tmp_path: Path) -> None:
    filled.add(count=3)
    signer = Ed25519Signer.load(tmp_path / "key.pem")
    handler = type("Receiver", (_Receiver,), {"took": [], "answers": 500})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        clock = FakeClock(MORNING_MS / 1000 + 2 * 86400)
        heads = Heads(filled.volume, signer, HttpChannel(f"http://127.0.0.1:{server.server_port}/"), clock)
        assert heads.run_once(filled.index) == 1
        assert len(stored(filled.index, unsent=True)) == 1
        handler.answers = 204
        assert heads.run_once(filled.index) == 0
        assert stored(filled.index, unsent=True) == []
        heads.run_once(filled.index)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert [name for name, _ in handler.took] == [f"gate-{DAY}.json"] * 2
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / f"gate-{DAY}.json").write_bytes(handler.took[-1][1])
    assert verify_heads(filled.index, signer.public_key, folder) == []
