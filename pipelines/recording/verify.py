"""Finds what was done to footage: a changed, missing, swapped or re-ordered segment, and says which."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.recording import signing
from pipelines.recording.chain import canonical, head_digest
from pipelines.recording.fmp4 import NotMp4
from pipelines.recording.heads import stored
from pipelines.recording.index import QUARANTINED, Index
from pipelines.recording.layout import Volume, rfc3339
from pipelines.recording.ledger import to_segment
from pipelines.recording.segments import Segment, genesis, scan, segment_link, sha256_file


@dataclass(frozen=True, slots=True)
class Finding:
    """One damage. `what` is `changed`, `missing`, `swapped`, `reordered`, `row_missing`, `row_changed`, `head`."""

    camera: str
    day: int
    seq: int
    what: str
    path: str
    detail: str

    def to_json(self) -> dict[str, Any]:
        return {
            "camera": self.camera,
            "day": self.day,
            "seq": self.seq,
            "what": self.what,
            "path": self.path,
            "detail": self.detail,
        }


@dataclass(slots=True)
class Verdict:
    segments: int = 0
    deleted: int = 0
    heads: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Link:
    segment: Segment
    deleted: bool


class Verifier:
    """Reads the index and the files; changes nothing."""

    def __init__(
        self, index: Index, volume: Volume, progress: Callable[[Segment], None] = lambda _segment: None
    ) -> None:
        self._index = index
        self._volume = volume
        self._progress = progress

    def run(self, camera: str, days: tuple[int, int], *, hashes: bool = True) -> Verdict:
        """The chains of `camera` from the first to the last of `days` (UTC, 20261123). Without `hashes` files are not
        read, only looked for."""
        verdict = Verdict()
        rows = self._index.read(
            "SELECT DISTINCT day FROM (SELECT day FROM segments WHERE camera = ?1 UNION SELECT day FROM deletions"
            " WHERE camera = ?1 UNION SELECT day FROM heads WHERE camera = ?1) WHERE day BETWEEN ?2 AND ?3 ORDER BY day",
            (camera, *days),
        ).fetchall()
        for (day,) in rows:
            self._day(camera, day, verdict, hashes)
        return verdict

    def _links(self, camera: str, day: int) -> Iterator[_Link]:
        columns = "camera, day, seq, run, start_ms, end_ms, size_bytes"
        for row in self._index.read(
            f"SELECT {columns}, mtime_ns, sha256, link, state, offset_ms, 0 FROM segments WHERE camera = ?1 AND day = ?2"
            f" UNION ALL SELECT {columns}, 0, sha256, link, 0, NULL, 1 FROM deletions WHERE camera = ?1 AND day = ?2"
            " AND NOT EXISTS (SELECT 1 FROM segments AS s WHERE s.camera = ?1 AND s.day = ?2 AND s.seq = deletions.seq)"
            " ORDER BY seq",
            (camera, day),
        ).fetchall():
            yield _Link(to_segment(row[:12]), bool(row[12]))

    def _day(self, camera: str, day: int, verdict: Verdict, hashes: bool) -> None:
        links = list(self._links(camera, day))
        damaged: dict[int, tuple[Segment, str]] = {}
        previous: str | None = genesis(camera, day)
        expected = 1
        for item in links:
            segment = item.segment
            while expected < segment.seq:
                self._row_missing(camera, day, expected, verdict)
                previous, expected = None, expected + 1
            expected = segment.seq + 1
            verdict.deleted += item.deleted
            verdict.segments += not item.deleted
            note = None if item.deleted else self._file(segment, verdict, damaged, hashes)
            before = previous or (str(note["previous"]) if note else None)
            if before is not None and segment.link != segment_link(before, segment):
                self._broken_row(segment, note, verdict)
            previous = segment.link
            self._progress(segment)
        self._swapped(damaged, verdict)
        self._head(camera, day, links, verdict)

    def _file(
        self, segment: Segment, verdict: Verdict, damaged: dict[int, tuple[Segment, str]], hashes: bool
    ) -> dict[str, Any] | None:
        """Look at the file; returns what it says of itself."""
        path = self._volume.root / segment.path
        if segment.state == QUARANTINED:
            self._add(verdict, segment, "changed", "damaged; the file is in quarantine")
            return None
        try:
            if not hashes:
                path.stat()
                return None
            digest = sha256_file(path)
        except FileNotFoundError:
            self._add(verdict, segment, "missing", "the file is not there")
            return None
        except OSError as error:
            self._add(verdict, segment, "missing", f"the file cannot be read: {error.strerror}")
            return None
        if digest != segment.sha256:
            damaged[segment.seq] = (segment, digest)
            return None
        try:
            return scan(path).tail
        except NotMp4:
            return None

    def _broken_row(self, segment: Segment, note: Mapping[str, Any] | None, verdict: Verdict) -> None:
        """The row does not follow the one before it although the file has the row's hash."""
        if note is not None and (note["day"], note["seq"]) != (segment.day, segment.seq):
            self._add(verdict, segment, "reordered", f"the file says it is number {note['seq']} of {note['day']}")
        elif note is not None and (note["start_ms"], note["end_ms"]) != (segment.start_ms, segment.end_ms):
            self._add(verdict, segment, "row_changed", f"the file says it begins at {rfc3339(int(note['start_ms']))}")
        else:
            self._add(verdict, segment, "row_changed", "the row is not the one that was linked into the chain")

    def _swapped(self, damaged: dict[int, tuple[Segment, str]], verdict: Verdict) -> None:
        """Files whose bytes are those of another segment were swapped; the others were changed."""
        by_hash = {segment.sha256: segment for segment, _ in damaged.values()}
        for segment, digest in damaged.values():
            other = by_hash.get(digest)
            if other is None:
                self._add(verdict, segment, "changed", "the bytes are not those that were recorded")
            else:
                self._add(verdict, segment, "swapped", f"holds the bytes of {other.path}")

    def _row_missing(self, camera: str, day: int, seq: int, verdict: Verdict) -> None:
        detail = (
            "no row and no deletion record; a file without a row is adopted when the recorder compares disk and index"
        )
        verdict.findings.append(Finding(camera, day, seq, "row_missing", "", detail))

    def _head(self, camera: str, day: int, links: list[_Link], verdict: Verdict) -> None:
        heads = stored(self._index, camera=camera)
        for place, head in enumerate(heads):
            if head.day != day:
                continue
            verdict.heads += 1
            last = links[-1].segment if links else None
            if last is None or (head.body["last_seq"], head.body["link"]) != (last.seq, last.link):
                self._head_fault(verdict, camera, day, "the signed head does not fit the chain: cut off or made anew")
            before = head_digest(heads[place - 1].body) if place else None
            if head.body["previous_head"] != before:
                self._head_fault(verdict, camera, day, "does not follow the head of the day before")

    @staticmethod
    def _head_fault(verdict: Verdict, camera: str, day: int, detail: str) -> None:
        verdict.findings.append(Finding(camera, day, 0, "head", "", detail))

    @staticmethod
    def _add(verdict: Verdict, segment: Segment, what: str, detail: str) -> None:
        verdict.findings.append(Finding(segment.camera, segment.day, segment.seq, what, segment.path, detail))


def verify_heads(index: Index, public_key: bytes, kept_elsewhere: Path | None = None) -> list[Finding]:
    """Signatures of the stored heads, and that they are the ones that were sent away (a folder of JSON files)."""
    findings: list[Finding] = []
    ours = {(head.camera, head.day): head for head in stored(index)}
    for head in ours.values():
        if head.key_id != signing.fingerprint(public_key):
            findings.append(
                Finding(head.camera, head.day, 0, "head", "", f"signed with another key ({head.key_id[:16]})")
            )
        elif not signing.verify(head.algorithm, public_key, canonical(head.body), head.signature):
            findings.append(Finding(head.camera, head.day, 0, "head", "", "the signature is wrong"))
    for path in sorted(kept_elsewhere.glob("*.json")) if kept_elsewhere else []:
        try:
            kept = json.loads(path.read_bytes())["head"]
            key = (str(kept["camera"]), int(kept["day"]))
        except (ValueError, KeyError, TypeError):
            findings.append(Finding("", 0, 0, "head", path.name, "not a head"))
            continue
        if key not in ours:
            findings.append(Finding(*key, 0, "head", path.name, "was sent away and is no longer in the index"))
        elif ours[key].body != kept:
            findings.append(Finding(*key, 0, "head", path.name, "differs from the one that was sent away: made anew"))
    return findings
