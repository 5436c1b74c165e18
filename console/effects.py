"""What other rules would have made of the last hours: `gatewatch replay` in a process of its own, one at a time and at low
priority, so that pages answer and cameras are analysed meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final
from uuid import uuid4

from pipelines.children import end, spawn
from pipelines.clock import Clock
from pipelines.config.versions import FOLDER
from pipelines.errors import Unavailable
from pipelines.files import write_atomically

_KEPT: Final = 20
_LONGEST_S: Final = 1800.0
_NICE: Final = 15
_NOTHING_KEPT: Final = "no tracks are kept"


@dataclass(slots=True)
class Effect:
    """`state`: waiting, running, done, nothing (no tracks were kept of that time), failed, or given_up. `said`: why."""

    effect_id: str
    owner: str
    hours: int
    begun_s: float
    state: str = "waiting"
    said: str = ""
    result: dict[str, Any] | None = None
    ended_s: float | None = None
    give_up: Event = field(default_factory=Event)


class Effects:
    """`data`: the site's folder; what is tried lies in it for as long as it is tried."""

    def __init__(self, data: Path, clock: Clock) -> None:
        self._folder = data / FOLDER
        self._clock = clock
        self._lock = Lock()
        self._turn = Lock()
        self._known: OrderedDict[str, Effect] = OrderedDict()

    def start(self, owner: str, config: Path, content: bytes, camera: str, hours: int) -> Effect:
        """`content` is the configuration to try. What `owner` asked before is given up. Raises Unavailable: the disk refuses."""
        now_s = self._clock.now_s()
        effect = Effect(uuid4().hex, owner, hours, now_s)
        rules = self._folder / f"trial-{effect.effect_id}.yaml"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep(now_s)
            write_atomically(rules, content, durable=False, mode=0o600)
        except OSError as error:
            raise Unavailable(f"{self._folder} cannot be written: {error.strerror}") from error
        with self._lock:
            for other in self._known.values():
                if other.owner == owner:
                    other.give_up.set()
            self._known[effect.effect_id] = effect
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)[1].give_up.set()
        command = [sys.executable, "-m", "pipelines.cli", "replay", "-c", str(config), "--rules", str(rules)]
        command += ["--camera", camera, "--json", "--from", _utc(now_s - hours * 3600.0), "--to", _utc(now_s)]
        # The child dies with the thread that made it: one that lives exactly as long.
        Thread(target=self._work, args=(effect, command, rules), name="effect", daemon=True).start()
        return effect

    def _sweep(self, now_s: float) -> None:
        """What a console that was killed left."""
        for path in self._folder.glob("trial-*.yaml"):
            with suppress(OSError):
                if path.stat().st_mtime < now_s - 2 * _LONGEST_S:
                    path.unlink()

    def get(self, owner: str, effect_id: str) -> Effect | None:
        """None: there is none of this id that `owner` asked for."""
        with self._lock:
            found = self._known.get(effect_id)
        return found if found is not None and found.owner == owner else None

    def seconds(self, effect: Effect) -> float:
        """How long it has been asked for, or took."""
        return max(0.0, (self._clock.now_s() if effect.ended_s is None else effect.ended_s) - effect.begun_s)

    def close(self) -> None:
        """End whatever runs."""
        with self._lock:
            for effect in self._known.values():
                effect.give_up.set()

    def _work(self, effect: Effect, command: list[str], rules: Path) -> None:
        try:
            with self._turn:
                if not effect.give_up.is_set():
                    effect.state = "running"
                    self._run(effect, command)
        finally:
            rules.unlink(missing_ok=True)
            if effect.state in ("waiting", "running"):
                effect.state = "given_up"
            effect.ended_s = self._clock.now_s()

    def _run(self, effect: Effect, command: list[str]) -> None:
        child = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
        began_s = self._clock.monotonic_s()
        while True:
            try:
                out, said = child.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                late = self._clock.monotonic_s() - began_s > _LONGEST_S
                if late or effect.give_up.is_set():
                    end(child)
                    child.communicate()
                    effect.state = "failed" if late else "given_up"
                    effect.said = f"it took longer than {_LONGEST_S / 60:.0f} minutes" if late else ""
                    return
        _judge(effect, child.returncode, out.decode(errors="replace"), said.decode(errors="replace"))


def _judge(effect: Effect, code: int, out: str, said: str) -> None:
    try:
        if code == 0:
            effect.result, effect.state = json.loads(out), "done"
            return
    except ValueError:
        pass
    last = next((line for line in reversed(said.splitlines()) if line.strip()), f"it ended with {code}")
    effect.said = last
    effect.state = "nothing" if _NOTHING_KEPT in last else "failed"


def _utc(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
