"""What a worker knows of one camera's cases, on disk: the engine's snapshot and the messages not yet known to be safe.

The file is written before a message is published and the messages stand in it. After a crash they are published again;
the bus drops those that it had (an event's id names it for good), so nothing is lost and nothing is doubled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from pipelines.errors import GatewatchError
from pipelines.events.envelope import EnvelopeError, Event
from pipelines.files import write_atomically
from vision.incident import Snapshot

VERSION: Final = 1


class StateError(GatewatchError):
    """A state file cannot be read. It is set aside, not overwritten."""


@dataclass(frozen=True, slots=True)
class CameraState:
    """`time_s` is the last analysed frame's time; a later run never goes back behind it."""

    time_s: float
    snapshot: Snapshot
    unpublished: tuple[Event, ...]


class StateFile:
    """The state of one camera. One worker writes it at a time: the camera's lease sees to that."""

    def __init__(self, folder: Path, camera_id: str) -> None:
        self._path = folder / f"{camera_id}.json"

    def load(self) -> CameraState | None:
        """None when there is none yet.

        Raises:
            StateError: the file is damaged; it was renamed to `*.damaged` so that the next start begins afresh.
        """
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            raw: dict[str, Any] = json.loads(text)
            if raw["version"] != VERSION:
                raise ValueError(f"version {raw['version']!r}")
            return CameraState(
                time_s=float(raw["time_s"]),
                snapshot=dict(raw["snapshot"]),
                unpublished=tuple(Event.from_json(json.dumps(event)) for event in raw["unpublished"]),
            )
        except (ValueError, KeyError, TypeError, EnvelopeError) as error:
            raise self.set_aside(error) from error

    def set_aside(self, why: Exception) -> StateError:
        """Rename the file to `*.damaged`, so that the next start begins afresh; what is to be told of it."""
        aside = self._path.with_suffix(".json.damaged")
        self._path.replace(aside)
        return StateError(f"{aside}: state of the cases cannot be read ({why}); starting without it")

    def save(self, state: CameraState, *, durable: bool = True) -> None:
        """Atomic. Raises OSError when the disk refuses."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "version": VERSION,
            "time_s": state.time_s,
            "snapshot": state.snapshot,
            "unpublished": [event.to_dict() for event in state.unpublished],
        }
        # As `json.dumps`, in a tenth of the time: it is full of numbers with sixteen digits, and saved at each change of a case.
        written = to_json(content, inf_nan_mode="constants")
        write_atomically(self._path, written, durable=durable)

    def delete(self) -> None:
        """Forget the camera."""
        self._path.unlink(missing_ok=True)


def saved_cameras(folder: Path) -> list[str]:
    """Ids of the cameras that have a state in `folder`."""
    return sorted(path.stem for path in folder.glob("*.json") if not path.name.startswith("."))
