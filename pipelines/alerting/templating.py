"""Templates (Jinja2) in a sandbox: they see what they are given, reach nothing else, and a wrong name in one is a fault
that names file and line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipelines.errors import GatewatchError

#: Templates are short; a folder of footage named by mistake is not read.
_LARGEST_BYTES: Final = 64 * 1024


class TemplateFault(GatewatchError):
    """A template cannot be used: `FILE:LINE: what is wrong`."""


class Letterhead:
    """One template; `name` is its file."""

    def __init__(self, name: str, template: Template) -> None:
        self.name = name
        self._template = template

    def render(self, values: Mapping[str, Any]) -> str:
        """Raises TemplateFault."""
        try:
            return self._template.render(values)
        except SecurityError as error:
            raise TemplateFault(f"{self.name}:{self._line(error)}: a template may not do this: {error}") from error
        except UndefinedError as error:
            name = re.search(r"'(\w+)'[^']*$", str(error))
            what = f"there is no '{name[1]}' here" if name else str(error)
            raise TemplateFault(f"{self.name}:{self._line(error)}: {what}") from error
        except TemplateError as error:
            raise TemplateFault(f"{self.name}:{self._line(error)}: {error}") from error
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
            raise TemplateFault(f"{self.name}:{self._line(error)}: {type(error).__name__}: {error}") from error

    def _line(self, error: BaseException) -> int:
        """The template's line: Jinja names it in the traceback."""
        line, trace = 1, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._template.filename:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


class Engine:
    """Compiles templates; `json` in them writes a value as JSON. `ours`: those that ship, which need no sandbox (and are
    quicker without)."""

    def __init__(self, *, ours: bool = False) -> None:
        self._environment: Environment = (Environment if ours else ImmutableSandboxedEnvironment)(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            keep_trailing_newline=False,
        )
        self._environment.filters["json"] = _as_json

    def compile(self, path: Path) -> Letterhead:
        """Raises TemplateFault: it cannot be read, or is no template."""
        return self.compile_text(read_text(path), str(path))

    def compile_text(self, text: str, name: str) -> Letterhead:
        """As `compile`; `name` is what faults call it."""
        try:
            code: Any = self._environment.compile(text, name, name)
        except TemplateSyntaxError as error:
            raise TemplateFault(f"{name}:{error.lineno}: {error.message}") from error
        return Letterhead(name, Template.from_code(self._environment, code, self._environment.make_globals(None)))


def read_text(path: Path) -> str:
    """Raises TemplateFault."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise TemplateFault(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _LARGEST_BYTES:
        raise TemplateFault(f"{path}: larger than {_LARGEST_BYTES // 1024} KiB; is this a template?")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TemplateFault(
            f"{path}:{line}: not UTF-8 (byte 0x{raw[error.start]:02x}); save the file as UTF-8"
        ) from error


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
