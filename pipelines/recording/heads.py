"""Daily heads: what a camera's chain of one day ended with, signed, and sent off the machine.

Whoever owns the machine owns the key on it: a chain and its signatures can be made anew. What cannot be made anew is a
head that somebody else already has. So each head goes to a channel of the site's choice: a folder (a mounted share, a
synchronised one) or an address that takes a POST.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.recording import ledger
from pipelines.recording.chain import canonical, head_digest, tail
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume, day_of, rfc3339

if TYPE_CHECKING:
    from pipelines.recording.signing import Signer

log = logging.getLogger(__name__)

#: A day is closed this long after its end, so that its last segment is in.
_GRACE_MS: Final = 15 * 60_000
_SEND_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Head:
    """`body` is what was signed (canonical JSON)."""

    camera: str
    day: int
    body: dict[str, Any]
    algorithm: str
    key_id: str
    signature: bytes

    def to_json(self, public_key: bytes) -> dict[str, Any]:
        return {
            "head": self.body,
            "algorithm": self.algorithm,
            "key_id": self.key_id,
            "public_key": public_key.hex(),
            "signature": self.signature.hex(),
        }


class HeadChannel(Protocol):
    """Takes heads away from this machine."""

    def send(self, name: str, text: bytes) -> None:
        """Returns when it has arrived. Raises Unavailable."""
        ...


class FolderChannel:
    """A folder that is not on this machine's own disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, name: str, text: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = self._folder / f".{name}.{os.getpid()}"
            temporary.write_bytes(text)
            temporary.rename(self._folder / name)
        except OSError as error:
            raise Unavailable(f"heads cannot be written to {self._folder}: {error.strerror}") from error


class HttpChannel:
    """An address that answers a POST of the head with 2xx."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, name: str, text: bytes) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": name}
        request = urllib.request.Request(self._url, data=text, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=_SEND_TIMEOUT_S):
                return
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise Unavailable("the head channel does not take heads; see recording.head_channel") from error


def make_head(index: Index, volume: Volume, signer: Signer, *, camera: str, day: int, now_ms: int) -> Head:
    """Sign the chain of a day as it stands. Nothing is stored."""
    count, bytes_, first, last = index.read(
        "SELECT count(*), sum(size_bytes), min(start_ms), max(end_ms) FROM"
        " (SELECT size_bytes, start_ms, end_ms FROM segments WHERE camera = ?1 AND day = ?2 UNION ALL"
        "  SELECT size_bytes, start_ms, end_ms FROM deletions WHERE camera = ?1 AND day = ?2)",
        (camera, day),
    ).fetchone()
    end = index.read(
        "SELECT seq, link FROM segments WHERE camera = ?1 AND day = ?2 UNION ALL"
        " SELECT seq, link FROM deletions WHERE camera = ?1 AND day = ?2 ORDER BY seq DESC LIMIT 1",
        (camera, day),
    ).fetchone()
    before = index.read(
        "SELECT body FROM heads WHERE camera = ? AND day < ? ORDER BY day DESC LIMIT 1", (camera, day)
    ).fetchone()
    body: dict[str, Any] = {
        "format": "gatewatch-head-1",
        "volume": volume.volume_id,
        "camera": camera,
        "day": day,
        "segments": count,
        "last_seq": 0 if end is None else end[0],
        "bytes": bytes_ or 0,
        "from": None if first is None else rfc3339(first),
        "to": None if last is None else rfc3339(last),
        "link": "" if end is None else end[1].hex(),
        "previous_head": None if before is None else head_digest(json.loads(before[0])),
        "journals": {name: list(Journal(volume.journal / f"{name}.jsonl").end()) for name in ("audit", "ledger")},
        "made": rfc3339(now_ms),
    }
    return Head(camera, day, body, signer.algorithm, signer.key_id, signer.sign(canonical(body)))


class Heads:
    """Makes the heads that are due and sends those that have not arrived."""

    def __init__(self, volume: Volume, signer: Signer, channel: HeadChannel | None, clock: Clock) -> None:
        self._volume = volume
        self._signer = signer
        self._channel = channel
        self._clock = clock

    def run_once(self, index: Index) -> int:
        """Returns how many were made. Raises Unavailable (index)."""
        now_ms = round(self._clock.now_s() * 1000)
        today = day_of(now_ms - _GRACE_MS)
        made = 0
        for camera in ledger.cameras(index):
            for (day,) in index.read(
                "SELECT DISTINCT day FROM segments WHERE camera = ?1 AND day < ?2 AND day >"
                " (SELECT coalesce(max(day), 0) FROM heads WHERE camera = ?1) ORDER BY day",
                (camera, today),
            ).fetchall():
                newest = tail(index, camera)
                # A recorder that has a segment in hand for that very day would still add to it.
                if newest is None or (newest.day == day and now_ms - newest.end_ms < _GRACE_MS):
                    continue
                self._store(
                    index,
                    make_head(index, self._volume, self._signer, camera=camera, day=int(day), now_ms=now_ms),
                    now_ms,
                )
                made += 1
        self._send(index, now_ms)
        return made

    def _store(self, index: Index, head: Head, now_ms: int) -> None:
        with index.transaction() as cursor:
            cursor.execute(
                "INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING",
                (
                    head.camera,
                    head.day,
                    canonical(head.body).decode(),
                    head.algorithm,
                    head.key_id,
                    head.signature,
                    now_ms,
                ),
            )
        Journal(self._volume.journal / "ledger.jsonl").append(
            at_ms=now_ms, action="head", actor="recorder", reason="", data=head.to_json(self._signer.public_key)
        )

    def _send(self, index: Index, now_ms: int) -> None:
        if self._channel is None:
            return
        for head in stored(index, unsent=True):
            text = json.dumps(head.to_json(self._signer.public_key), sort_keys=True, indent=1).encode()
            try:
                self._channel.send(f"{head.camera}-{head.day}.json", text)
            except Unavailable as error:
                log.warning("%s", error)
                return
            with index.transaction() as cursor:
                cursor.execute(
                    "UPDATE heads SET sent_ms = ? WHERE camera = ? AND day = ?", (now_ms, head.camera, head.day)
                )


def stored(index: Index, *, camera: str | None = None, unsent: bool = False) -> list[Head]:
    """Heads in the index, oldest first."""
    rows = index.read(
        "SELECT camera, day, body, algorithm, key_id, signature FROM heads"
        " WHERE (?1 IS NULL OR camera = ?1) AND (?2 = 0 OR sent_ms IS NULL) ORDER BY day, camera",
        (camera, int(unsent)),
    )
    return [Head(row[0], row[1], json.loads(row[2]), row[3], row[4], row[5]) for row in rows.fetchall()]
