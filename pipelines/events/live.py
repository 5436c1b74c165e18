"""Live pictures from the workers to whoever looks, over Redis Pub/Sub: nothing is stored, nobody looking costs nothing.

Pub/Sub and not a key, because the embedded server syncs every write to the disk and a picture is worth nothing a second
later. Whether anybody looks is the number of subscribers, which the server itself knows: a viewer that died is gone.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.events.connection import mapped

_PREFIX: Final = "gatewatch:live:"
_HEAD: Final = struct.Struct(">I")
_ROUND_S: Final = 0.25
_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class LivePicture:
    """One analysed picture, made small. `time_s` is when it was taken (seconds since the Unix epoch).

    `overlay` is what was seen in it, as plain JSON values with places in 0..1 of the picture: `boxes` (each `box, kind,
    track`), `rules` (each `rule, kind, zone, state, box, incident, evidence`), `view`.
    """

    camera_id: str
    time_s: float
    jpeg: bytes
    overlay: dict[str, Any]

    def to_bytes(self) -> bytes:
        head = json.dumps({"time_s": self.time_s, "overlay": self.overlay}, ensure_ascii=False).encode()
        return _HEAD.pack(len(head)) + head + self.jpeg

    @classmethod
    def from_bytes(cls, camera_id: str, data: bytes) -> LivePicture:
        """Raises ValueError: not such a message."""
        if len(data) < _HEAD.size:
            raise ValueError("too short for a live picture")
        (length,) = _HEAD.unpack_from(data)
        head = json.loads(data[_HEAD.size : _HEAD.size + length])
        if not isinstance(head, dict) or not isinstance(head.get("overlay"), dict):
            raise ValueError("no head of a live picture")
        return cls(camera_id, float(head["time_s"]), data[_HEAD.size + length :], head["overlay"])


class LivePublisher:
    """The worker's end. Every method raises Unavailable when Redis is away."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def wanted(self, camera_ids: Iterable[str]) -> frozenset[str]:
        """Those of the cameras that somebody looks at now."""
        channels = [_PREFIX + camera_id for camera_id in camera_ids]
        if not channels:
            return frozenset()
        with mapped("live pictures: who looks is not known"):
            counts = cast("list[tuple[bytes, int]]", self._client.pubsub_numsub(*channels))
        return frozenset(name.decode().removeprefix(_PREFIX) for name, count in counts if count)

    def publish(self, picture: LivePicture) -> None:
        with mapped("a live picture was not sent"):
            self._client.publish(_PREFIX + picture.camera_id, picture.to_bytes())


class LiveReader:
    """The viewer's end: the newest picture of each camera that was asked for in the last `keep_s` seconds.

    `want` and `latest` from any thread; `run` in one of its own.
    """

    def __init__(self, client: redis.Redis, clock: Clock, keep_s: float = 10.0) -> None:
        self._client = client
        self._clock = clock
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._until_s: dict[str, float] = {}
        self._latest: dict[str, tuple[int, LivePicture]] = {}
        # Grows with every picture, and over a restart of this process too.
        self._number = round(clock.now_s() * 1000)

    def want(self, camera_id: str) -> None:
        """Somebody looks at this camera now."""
        with self._lock:
            self._until_s[camera_id] = self._clock.monotonic_s() + self._keep_s

    def latest(self, camera_id: str) -> LivePicture | None:
        """The newest picture, however old (its age is for the viewer to judge); None: none has come."""
        with self._lock:
            found = self._latest.get(camera_id)
        return None if found is None else found[1]

    def after(self, number: int, camera_ids: Iterable[str]) -> tuple[int, list[LivePicture]]:
        """The newest picture of each of the cameras that had one since `number`, and the number to go on from."""
        with self._lock:
            found = [self._latest[name] for name in camera_ids if name in self._latest]
            return self._number, [picture for at, picture in found if at > number]

    @property
    def watched(self) -> frozenset[str]:
        """The cameras that pictures are asked of now."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            return frozenset(name for name, until_s in self._until_s.items() if until_s > now_s)

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop`; while Redis is away, try again."""
        while not stop.is_set():
            pubsub = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            try:
                self._receive(pubsub, stop)
            except Unavailable:
                self._clock.wait(stop, _PAUSE_S)
            finally:
                pubsub.close()

    def _receive(self, pubsub: redis.client.PubSub, stop: threading.Event) -> None:
        subscribed: frozenset[str] = frozenset()
        while not stop.is_set():
            wanted = self.watched
            with mapped("live pictures cannot be received"):
                if wanted - subscribed:
                    pubsub.subscribe(*(_PREFIX + name for name in wanted - subscribed))
                if subscribed - wanted:
                    pubsub.unsubscribe(*(_PREFIX + name for name in subscribed - wanted))  # type: ignore[no-untyped-call]
                subscribed = wanted
                if not subscribed:
                    message = None
                    self._clock.wait(stop, _ROUND_S)
                else:
                    message = pubsub.get_message(timeout=_ROUND_S)
            if message is not None and message["type"] == "message":
                self._take(message["channel"].decode().removeprefix(_PREFIX), message["data"])

    def _take(self, camera_id: str, data: bytes) -> None:
        try:
            picture = LivePicture.from_bytes(camera_id, data)
        except (ValueError, KeyError):
            return  # a worker of another version; the picture's age tells that none comes
        with self._lock:
            self._number += 1
            self._latest[camera_id] = (self._number, picture)
