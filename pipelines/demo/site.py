"""The demo's site: sample cameras, a bus, a worker, a dispatcher, a recorder and a janitor, all real, on this machine."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from pipelines.clock import Clock
from pipelines.errors import GatewatchError
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import Event
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import connect
from pipelines.events.tail import EventTail
from pipelines.samples import library
from pipelines.samples.cameras import SampleCamera, SampleCameras, free_port
from pipelines.workers.state import StateError, StateFile
from pipelines.workers.supervisor import ChildSpec, Supervisor

_PROCESSES: Final = ("dispatch", "worker", "record", "janitor")


class DemoSite:
    """A context manager: everything runs inside it and ends with it. `folder` is emptied first."""

    def __init__(self, folder: Path, streams: Path, clock: Clock) -> None:
        self.folder = folder
        self.config = folder / "gatewatch.yaml"
        self.log = folder / "processes.log"
        self._alerts = folder / "alerts.jsonl"
        self._alerts_read = 0
        self._streams = streams
        self._clock = clock
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        served = self._stack.enter_context(SampleCameras(library.camera_list(), self._streams))
        self.cameras: tuple[SampleCamera, ...] = served.cameras
        extra: dict[str, Any] = {
            "data": str(self.folder / "data"),
            "channels": {"log": False, "jsonl": str(self._alerts)},
            "worker": {"metrics": {"port": free_port()}},
            "dispatcher": {"metrics": {"port": free_port()}},
            "recorder": {"metrics": {"port": free_port()}},
            # Two minutes on whatever disk there is: no law's thirty days, and no alarm that they will not fit.
            "recording": {"profile": "none", "reserve_free": 0},
        }
        self.config.write_text(library.configuration(self.cameras, extra), encoding="utf-8")
        bus = self._stack.enter_context(EmbeddedValkey(embedded_folder(self.folder / "data"), clock=self._clock))
        client = connect(bus.url)
        self._stack.callback(client.close)
        self._tail = EventTail(client)
        argv = (sys.executable, "-m", "pipelines.cli")
        specs = [ChildSpec(name, (*argv, name, "-c", str(self.config)), self.log) for name in _PROCESSES]
        self._supervisor = Supervisor(specs, self._clock, logging.getLogger(__name__))
        self._stack.callback(self._supervisor.end)

    def run_once(self) -> None:
        """Look after the processes. A process that died does not come back by itself in a demo: it is a failure.

        Raises: GatewatchError: with the last lines that the processes said.
        """
        self._supervisor.run_once()
        died = [name for name, count in self._supervisor.restarts.items() if count]
        if died:
            raise GatewatchError(f"{', '.join(died)} ended by itself; {self.log} says:\n{self.last_words()}")

    def last_words(self, lines: int = 8) -> str:
        """The end of what the processes logged."""
        if not self.log.is_file():
            return "(nothing)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def first_picture_s(self, camera_id: str) -> float | None:
        """When the camera's first analysed picture was taken; None before it."""
        try:
            state = StateFile(self.folder / "data" / "state", camera_id).load()
        except StateError as error:
            raise GatewatchError(str(error)) from error
        started_s = 0.0 if state is None else float(state.snapshot["run_started_s"])
        return started_s or None

    def pictures(self) -> tuple[int, int]:
        """How many pictures of incidents there are, and of how many the moment was cut from the recorded main stream too."""
        files = [path.name for path in (self.folder / "data" / "pictures").rglob("*.jpg")]
        main = sum(name.endswith(".main.jpg") for name in files)
        return len(files) - main, main

    def events(self) -> list[Event]:
        """What came onto the bus since the last call."""
        return self._tail.read()

    def alerts(self) -> Iterator[Mapping[str, Any]]:
        """What the dispatcher delivered since the last call."""
        if not self._alerts.is_file():
            return
        with self._alerts.open("rb") as file:
            file.seek(self._alerts_read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._alerts_read += len(line)
                yield json.loads(line)
