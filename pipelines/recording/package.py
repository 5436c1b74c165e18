"""A package of footage that a stranger can check: evidence (whole, untouched, with its chain) or a blurred copy."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput, Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import clips, clocks, ledger
from pipelines.recording.blur import Finder, blur
from pipelines.recording.clockstate import host_clock
from pipelines.recording.coverage import Span
from pipelines.recording.heads import make_head
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume, rfc3339
from pipelines.recording.segments import Segment, genesis, sha256_file
from pipelines.recording.signing import Signer

_README = """Gatewatch: a package of footage / 录像证据包

manifest.json  what this is, who made it and why, and the hash of every file   清单
manifest.sig   its signature (Ed25519)                                        签名
segments/      the segments exactly as they were recorded                     原始录像
video/         the same, cut to the wanted time                               剪辑
chain/         the links from the first segment to the signed interim head    哈希链
incidents/     the incidents of that time with their pictures                 事件

Check it with Python 3, on any machine:   python3 verify.py --key FINGERPRINT
The fingerprint of the key must come from the school by another way.  密钥指纹须由学校另行提供。
"""


@dataclass(frozen=True, slots=True)
class IncidentFiles:
    """An incident that goes into a package: its JSON and its pictures."""

    incident_id: str
    body: Mapping[str, Any]
    pictures: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants which footage, why, and made with what."""

    camera: str
    span: Span
    reason: str
    actor: str
    versions: Mapping[str, str] = field(default_factory=dict)
    incidents: Sequence[IncidentFiles] = ()


class Exporter:
    """`index` is the caller's."""

    def __init__(self, index: Index, volume: Volume, binary: Ffmpeg, signer: Signer) -> None:
        self._index = index
        self._volume = volume
        self._binary = binary
        self._signer = signer
        self._audit = Journal(volume.journal / "audit.jsonl")

    def evidence(self, request: Request, target: Path, now_ms: int) -> dict[str, Any]:
        """Write the untouched footage to `target` (a new folder, or a file ending in .zip); returns the manifest.

        Raises: BadInput: no reason, or `target` exists. Unavailable: nothing is recorded, or a segment is not what its
        row says.
        """
        return self._export("evidence", request, target, now_ms, None)

    def blurred(self, request: Request, target: Path, now_ms: int, find: Finder) -> dict[str, Any]:
        """As `evidence`, but a copy on which heads and plates are hidden: no segments, no chain, no pictures."""
        return self._export("blurred", request, target, now_ms, find)

    def _export(self, kind: str, request: Request, target: Path, now_ms: int, find: Finder | None) -> dict[str, Any]:
        if not request.reason.strip():
            raise BadInput("an export needs a reason (--reason)")
        if target.exists():
            raise BadInput(f"{target} exists already; name a new one with --out")
        segments = clips.segments_of(self._index, request.camera, request.span)
        # Into the audit before the first byte: an export that was broken off has been seen too.
        self._audit.append(
            at_ms=now_ms,
            action="export",
            actor=request.actor,
            reason=request.reason,
            data={
                "kind": kind,
                "camera": request.camera,
                "from": rfc3339(request.span.from_ms),
                "to": rfc3339(request.span.to_ms),
                "target": target.name,
            },
        )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
                root = Path(scratch) / target.name.removesuffix(".zip")
                root.mkdir()
                manifest = self._fill(kind, root, segments, request, now_ms, find)
                if target.suffix == ".zip":
                    packed = Path(scratch) / "package.zip"
                    _pack(root, packed)
                    packed.rename(target)
                else:
                    root.rename(target)
        except OSError as error:
            raise Unavailable(f"{target}: cannot be written: {error.strerror or error}") from error
        return manifest

    def _fill(
        self, kind: str, root: Path, segments: list[Segment], request: Request, now_ms: int, find: Finder | None
    ) -> dict[str, Any]:
        chain: list[dict[str, Any]] = []
        (root / "video").mkdir()
        video = root / "video" / f"{request.camera}.mp4"
        if find is None:
            for segment in segments:
                self._copy(segment, root / "segments" / Path(segment.path).name)
            chain = self._chain(root, segments, now_ms)
            clips.cut(self._binary, self._volume.root, segments, request.span, video)
            self._incidents(root, request)
        else:
            plain = root / "plain.mp4"
            clips.cut(self._binary, self._volume.root, segments, request.span, plain)
            blur(plain, video, find)
            plain.unlink()
        (root / "README.txt").write_text(_README, encoding="utf-8")
        code = resources.files("pipelines.recording").joinpath("package_verify.py").read_text(encoding="utf-8")
        (root / "verify.py").write_text(code, encoding="utf-8")
        coverage = ledger.replayable(self._index, request.camera, request.span, now_ms)
        clock = clocks.grade_of(self._index, request.camera, request.span, now_ms, host_clock())
        manifest: dict[str, Any] = {
            "format": "gatewatch-package-1",
            "kind": kind,
            "camera": request.camera,
            "from": rfc3339(request.span.from_ms),
            "to": rfc3339(request.span.to_ms),
            "reason": request.reason,
            "made_by": request.actor,
            "made": rfc3339(now_ms),
            "volume": self._volume.volume_id,
            "versions": dict(request.versions),
            "clock": clock.to_json(),
            "holes": [
                {"from": rfc3339(gap.from_ms), "to": rfc3339(gap.to_ms), "cause": gap.cause.value, "detail": gap.detail}
                for gap in coverage.gaps
            ],
            "chain": chain,
            "sources": [
                {"segment": segment.path, "sha256": segment.sha256, "day": segment.day, "seq": segment.seq}
                for segment in segments
            ],
            "algorithm": self._signer.algorithm,
            "public_key": self._signer.public_key.hex(),
            "key_id": self._signer.key_id,
            "files": _listing(root),
        }
        raw = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True).encode()
        (root / "manifest.json").write_bytes(raw)
        (root / "manifest.sig").write_text(self._signer.sign(raw).hex() + "\n")
        return manifest

    def _copy(self, segment: Segment, target: Path) -> None:
        """Only what is what its row says goes out as evidence."""
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(self._volume.root / segment.path, target)
        if sha256_file(target) != segment.sha256:
            raise Unavailable(f"{segment.path} is not what was recorded; see `gatewatch footage verify`")

    def _chain(self, root: Path, segments: list[Segment], now_ms: int) -> list[dict[str, Any]]:
        """For each day: the links from the first exported segment to the day's end as it stands, and a head for it."""
        (root / "chain").mkdir()
        camera, proofs = segments[0].camera, []
        for day in sorted({segment.day for segment in segments}):
            first = min(segment.seq for segment in segments if segment.day == day)
            columns = "seq, start_ms, end_ms, size_bytes, sha256, link"
            where = "camera = ?1 AND day = ?2 AND seq >= ?3"
            rows = self._index.read(
                f"SELECT {columns} FROM segments WHERE {where} UNION SELECT {columns} FROM deletions WHERE {where} ORDER BY seq",
                (camera, day, first - 1),
            ).fetchall()
            previous = rows[0][5].hex() if first > 1 else genesis(camera, day)
            lines = [
                {
                    "day": day,
                    "seq": seq,
                    "start_ms": start_ms,
                    "end_ms": end_ms,
                    "size_bytes": size,
                    "sha256": digest.hex(),
                    "link": link.hex(),
                }
                for seq, start_ms, end_ms, size, digest, link in rows
                if seq >= first
            ]
            path = root / "chain" / f"{camera}-{day}.jsonl"
            path.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
            head = make_head(self._index, self._volume, self._signer, camera=camera, day=day, now_ms=now_ms)
            proofs.append(
                {
                    "day": day,
                    "path": f"chain/{path.name}",
                    "previous": previous,
                    "first_seq": first,
                    "head": head.to_json(self._signer.public_key),
                }
            )
        return proofs

    @staticmethod
    def _incidents(root: Path, request: Request) -> None:
        for incident in request.incidents:
            folder = root / "incidents" / hashlib.sha256(incident.incident_id.encode()).hexdigest()[:12]
            folder.mkdir(parents=True)
            # Half a surrogate pair, which a message may hold and UTF-8 may not, becomes the escape that JSON has for it.
            body = json.dumps(incident.body, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
            (folder / "incident.json").write_bytes(body)
            for number, picture in enumerate(incident.pictures, 1):
                shutil.copyfile(picture, folder / f"{number}{picture.suffix}")


def _listing(root: Path) -> list[dict[str, Any]]:
    return [
        {"path": path.relative_to(root).as_posix(), "size_bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(root.rglob("*"))
        if path.is_file()
    ]


def _pack(root: Path, target: Path) -> None:
    """Video does not compress: stored, not deflated."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                file.write(path, f"{root.name}/{path.relative_to(root).as_posix()}")
