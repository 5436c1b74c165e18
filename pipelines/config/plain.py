"""Small YAML files of the project's own (catalogues, generated configurations): plain values in, plain values out.

What people write goes through the loader, which knows lines and faults; these files are ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import BadInput


def read_yaml(path: Path) -> Any:
    """The values in a YAML file.

    Raises:
        BadInput: it cannot be read, or is not YAML; the message names the file and line.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise BadInput(f"{path}{line}: not YAML: {getattr(error, 'problem', error)}") from error


def to_yaml(values: Any) -> str:
    """The values as YAML text, keys in their order."""
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return text
