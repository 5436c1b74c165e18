"""The bus on Redis streams: everything that others import, under one name."""

from __future__ import annotations

from pipelines.events.connection import connect
from pipelines.events.consumer import RedisConsumer, dead_letters, replay
from pipelines.events.lease import CameraLeases, process_name
from pipelines.events.publisher import RedisPublisher, publish_now
from pipelines.events.streams import DEAD_LENGTH, DEFAULT_MAX_LENGTH, DISPATCHERS, STREAM, dead_stream

__all__ = [
    "DEAD_LENGTH",
    "DEFAULT_MAX_LENGTH",
    "DISPATCHERS",
    "STREAM",
    "CameraLeases",
    "RedisConsumer",
    "RedisPublisher",
    "connect",
    "dead_letters",
    "dead_stream",
    "process_name",
    "publish_now",
    "replay",
]
