"""Where a site's bus is: the one that the configuration names, else the embedded one of its data folder."""

from __future__ import annotations

from pathlib import Path

from pipelines.config.schema import Config
from pipelines.events.embedded import embedded_url


def embedded_folder(data: Path) -> Path:
    """The folder of the embedded server, which `gatewatch up` (and nothing else) starts."""
    return data / "valkey"


def redis_url(config: Config) -> str:
    """Address of the bus, whether it answers or not."""
    return config.redis.url or embedded_url(embedded_folder(config.data))
