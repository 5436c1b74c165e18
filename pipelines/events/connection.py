"""Connections to Redis (or Valkey), and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipelines.errors import BadInput, Unavailable
from pipelines.logs import mask_urls


def connect(url: str, timeout_s: float = 1.0) -> redis.Redis:
    """A client that fails quickly and never retries by itself (the callers know what a retry means). Connects lazily.

    Raises: BadInput: `url` is not a Redis URL.
    """
    # A unix socket knows no TCP keep-alive.
    options = {} if url.startswith("unix:") else {"socket_keepalive": True}
    try:
        return redis.Redis.from_url(
            url,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            health_check_interval=30,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **options,
        )
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"redis.url {mask_urls(url)!r} is not a Redis address ({error}); expected redis://, rediss:// or unix://"
        ) from error


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Redis' own errors as `Unavailable`: away, loading, read-only, out of memory or refusing, it takes nothing now."""
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable(f"{what}: {mask_urls(str(error)) or type(error).__name__}") from error
