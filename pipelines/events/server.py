"""What a Redis server says of itself: whether events survive its restart."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.errors import Unavailable
from pipelines.events.connection import connect, mapped


@dataclass(frozen=True, slots=True)
class ServerState:
    """`evicts` is the policy that drops keys when memory is full, None where it drops none (or does not tell)."""

    version: str
    append_only: bool
    snapshots: bool | None
    last_write_failed: bool
    evicts: str | None
    with_password: bool


def server_state(url: str) -> ServerState:
    """Ask the server.

    Raises:
        BadInput: `url` is not a Redis URL.
        Unavailable: it does not answer, or refuses.
    """
    client = connect(url)
    try:
        with mapped("Redis"):
            info = client.info()
        if not isinstance(info, dict):
            raise Unavailable("Redis: INFO is not understood")
        try:
            with mapped("Redis"):
                saves: bool | None = bool(client.config_get("save").get("save"))
        except Unavailable:
            saves = None  # managed servers refuse CONFIG
    finally:
        client.close()
    policy = str(info.get("maxmemory_policy", "noeviction"))
    return ServerState(
        version=str(info.get("valkey_version") or info.get("redis_version") or "unknown"),
        append_only=bool(int(info.get("aof_enabled", 0))),
        snapshots=saves,
        last_write_failed="err" in {info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")},
        evicts=None if policy == "noeviction" or not info.get("maxmemory") else policy,
        with_password=bool(client.connection_pool.connection_kwargs.get("password")),
    )


def answers(url: str) -> tuple[bool, str]:
    """Does the bus answer now, and if not, why: for a readiness check."""
    client = connect(url)
    try:
        with mapped("the bus does not answer"):
            client.ping()
    except Unavailable as error:
        return False, str(error)
    finally:
        client.close()
    return True, "the bus answers"
