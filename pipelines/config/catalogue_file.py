"""Reading a YAML file that comes with Gatewatch (a catalogue) into one of its models."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pipelines.config.plain import read_yaml
from pipelines.errors import BadInput

Model = TypeVar("Model", bound=BaseModel)


def read_catalogue(path: Path, kind: type[Model]) -> Model:
    """The file as `kind`.

    Raises:
        BadInput: it cannot be read, is no YAML, or does not fit; the message names the file and every key at fault.
    """
    value = read_yaml(path)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise BadInput("\n".join(faults)) from error
