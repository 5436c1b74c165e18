"""Redis Pub/Sub: said once to whoever listens, and kept nowhere."""

from __future__ import annotations

from pipelines.events.connection import connect, mapped


class Announcer:
    """Publishes to channels of one server; connects at the first message. One thread at a time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """Raises BadInput: `url` is no Redis address."""
        self._redis = connect(url, timeout_s)

    def publish(self, topic: str, body: bytes) -> int:
        """Returns how many listened. Raises Unavailable."""
        with mapped(f"cannot publish to {topic}"):
            return int(self._redis.publish(topic, body))

    def close(self) -> None:
        self._redis.close()
