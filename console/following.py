"""The console follows its configuration: a file that changed becomes what every page and check uses, without a restart; one
with faults changes nothing and is told on *System*.

What was opened at the start (the store, the bus, the address that is listened on) stays until a restart, and is named.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.clock import Clock
from pipelines.config.loader import LoadedConfig
from pipelines.config.schema import Config
from pipelines.config.watch import Reloader
from pipelines.logs import fields

if TYPE_CHECKING:
    from console.frame import Frame
    from console.parts import Parts

_log = logging.getLogger(__name__)
#: Opened once, by these keys.
_FIXED: Final = ("data", "redis", "database")
_FIXED_PAGE: Final = ("host", "port", "certificate", "private_key", "metrics")


class Following:
    """`faults`: those of the file as it is now; the console uses what was there before. `needs_restart`: keys whose new
    value is not used yet. Any thread may read; `run` of `reloader` writes."""

    def __init__(self) -> None:
        self.needs_restart: list[str] = []
        self._reloader: Reloader | None = None

    @property
    def faults(self) -> list[str]:
        return [] if self._reloader is None else list(self._reloader.faults)

    def reloader(
        self, path: Path, clock: Clock, parts: Parts, frame: Frame, secrets_are: Callable[[Config], None]
    ) -> Reloader:
        """To be run in a thread. `secrets_are` is told the configuration whose secrets logs must mask."""
        started = parts.config

        def take(loaded: LoadedConfig) -> None:
            secrets_are(loaded.config)
            self.needs_restart = _kept_back(started, loaded.config)
            self._take(parts, frame, _with_fixed(started, loaded.config), loaded.version)

        def refuse(faults: list[str]) -> None:
            _log.error("the new configuration has faults; the old one stays in force: %s", "; ".join(faults))

        self._reloader = Reloader(path, clock, take, refuse, LoadedConfig(started, parts.config_version, path))
        return self._reloader

    def wake(self) -> None:
        """Look at the file at once."""
        if self._reloader is not None:
            self._reloader.wake()

    @staticmethod
    def _take(parts: Parts, frame: Frame, config: Config, version: str) -> None:
        parts.config, parts.config_version = config, version
        page = config.console
        parts.sessions.idle_s, parts.sessions.longest_s, parts.sessions.wall_s = page.idle, page.longest, page.wall
        parts.by_caller.change(page.rate, page.rate * 4)
        frame.follow(config.site.name, config.site.language)
        _log.info("the configuration is in force", extra=fields(config_version=version))


def _kept_back(started: Config, new: Config) -> list[str]:
    names = [key for key in _FIXED if getattr(started, key) != getattr(new, key)]
    return names + [
        f"console.{key}" for key in _FIXED_PAGE if getattr(started.console, key) != getattr(new.console, key)
    ]


def _with_fixed(started: Config, new: Config) -> Config:
    page: dict[str, Any] = {key: getattr(started.console, key) for key in _FIXED_PAGE}
    fixed: dict[str, Any] = {key: getattr(started, key) for key in _FIXED}
    return new.model_copy(update=fixed | {"console": new.console.model_copy(update=page)})
