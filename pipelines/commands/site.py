"""What several commands take from the configuration: where the bus and the store are, and how to log."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.alerting.channels import Built
    from pipelines.clock import Clock
    from pipelines.config import LoadedConfig
    from pipelines.config.schema import Config
    from pipelines.store.database import Database


def set_up_logs(config: Config, style: str = "auto") -> None:
    """Logs to standard error, with everything secret in the configuration masked."""
    from pipelines import logs
    from pipelines.config.secrets import secrets

    logs.configure(style, secrets=secrets(config))  # type: ignore[arg-type]


def database_of(config: Config) -> Database:
    """The store that the configuration names, else SQLite in the data folder. Not migrated, not connected."""
    from pipelines.store.database import Database, sqlite_url

    return Database(config.database.url or sqlite_url(config.data))


def channels_of(loaded: LoadedConfig, clock: Clock) -> Built:
    """The channels and messages that the configuration asks for; connects nowhere.

    Raises: ConfigError: some cannot be made (a template, a certificate, a service that does not exist), each with its line.
    """
    from pipelines.alerting import channels
    from pipelines.config.loader import fault_at
    from pipelines.errors import ConfigError
    from pipelines.events.locate import redis_url

    built = channels.build(loaded.config, redis_url(loaded.config), clock)
    if built.faults:
        raise ConfigError([fault_at(loaded.path, fault.place, str(fault)) for fault in built.faults])
    return built


def who_am_i() -> str:
    """For the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


def moment(text: str, timezone: str, now_s: float) -> float:
    """`2026-09-01`, `2026-09-01T07:30`, `2026-09-01T07:30:00Z`, or `7d` ago -> Unix seconds. Without an offset it is local
    to the site. Raises BadInput."""
    from zoneinfo import ZoneInfo

    from pipelines.config.quantities import parse_seconds
    from pipelines.errors import BadInput

    if re.fullmatch(r"\d+(\.\d+)?(ms|s|m|h|d|w)", text):
        return now_s - parse_seconds(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no time: write 2026-09-01, 2026-09-01T07:30, or 7d for seven days ago") from error
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC).timestamp()


def shown_time(time_s: float | None, timezone: str) -> str:
    """For people: local to the site."""
    from zoneinfo import ZoneInfo

    return "" if time_s is None else f"{datetime.fromtimestamp(time_s, ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns for people; a Chinese character is as wide as two letters."""
    import unicodedata

    def width(text: str) -> int:
        return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)

    widths = [max(width(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = (cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"
