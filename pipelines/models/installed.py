"""Models on this machine: one folder each, `<models>/<name>/`, with `model.json` that says what is in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from pipelines.errors import BadInput
from pipelines.models.fetch import sha256_of

RECORD: Final = "model.json"


@dataclass(frozen=True, slots=True)
class Installed:
    """`inputs_key` is a digest of everything that the model was made from; `files` maps each file to its sha256."""

    name: str
    model: str
    licence: str
    inputs_key: str
    files: dict[str, str]
    made_from: dict[str, Any] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    agreement: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What `folder` holds; None when there is no model in it or its record cannot be read."""
        try:
            return cls(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def damaged(self, folder: Path) -> list[str]:
        """Which of its files are missing, or hold other bytes than were built."""
        return [
            file
            for file, digest in self.files.items()
            if not (folder / file).is_file() or sha256_of(folder / file) != digest
        ]

    def write(self, folder: Path) -> None:
        """Put the record beside the model."""
        (folder / RECORD).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def find_model(name: str, folders: tuple[Path, ...], wanted_by: str = "detector.model") -> tuple[Path, Installed]:
    """The file of the model `name`, in the first of `folders` that has it. `wanted_by` begins the message if none has.

    Raises:
        BadInput: none has it; the message says what to run.
    """
    for folder in folders:
        record = Installed.read(folder / name)
        if record is not None and all((folder / name / file).is_file() for file in record.files):
            return folder / name / record.model, record
    looked = " and ".join(str(folder / name) for folder in folders)
    other = ", or name the file of a model" if wanted_by == "detector.model" else ""
    raise BadInput(
        f"{wanted_by}: {name} is not on this machine (looked in {looked}): run `gatewatch models build`{other}"
    )
