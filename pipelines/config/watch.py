"""Hot reload: a changed file becomes the new configuration, a bad one changes nothing and is told once."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Final

from pipelines.clock import Clock
from pipelines.config.loader import LoadedConfig, load
from pipelines.errors import ConfigError

_POLL_S: Final = 1.0


class Reloader:
    """Looks at the file each second, and at once after `wake()`.

    `on_change(loaded)` is called when what the file means has changed; `on_fault(faults)` once for each bad state of
    the file. Both are called from `run_once`, so never two at a time; what they raise is not caught. The file itself is
    compared, not only its time of change: editors and configuration tools replace files without a newer time.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        on_change: Callable[[LoadedConfig], None],
        on_fault: Callable[[list[str]], None],
        current: LoadedConfig | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._on_change = on_change
        self._on_fault = on_fault
        self._current = current
        self._seen: str | None = None
        self._faults: list[str] | None = None
        self._woken = Event()

    @property
    def faults(self) -> list[str]:
        """Those of the file as it was seen last; none when it is good."""
        return self._faults or []

    def wake(self) -> None:
        """Look at once, and load even if the file is as it was (a variable may have changed). Safe in a signal handler."""
        self._woken.set()

    def run(self, stop: Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            self.run_once()
            if not self._woken.is_set():
                self._clock.wait(stop, _POLL_S)

    def run_once(self) -> None:
        """Look at the file once."""
        forced = self._woken.is_set()
        self._woken.clear()
        seen = self._fingerprint()
        if seen == self._seen and not forced:
            return
        self._seen = seen
        try:
            loaded = load(self._path)
        except ConfigError as error:
            if error.faults != self._faults or forced:
                self._faults = error.faults
                self._on_fault(error.faults)
            return
        self._faults = None
        if self._current is None or loaded.config != self._current.config:
            self._current = loaded
            self._on_change(loaded)

    def _fingerprint(self) -> str:
        try:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        except OSError as error:
            return f"unreadable: {error.errno}"


def reload_on_sighup(reloader: Reloader) -> None:
    """SIGHUP wakes the reloader. Call once, in the main thread of a process."""
    signal.signal(signal.SIGHUP, lambda _signum, _frame: reloader.wake())
