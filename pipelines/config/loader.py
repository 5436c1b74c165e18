"""A configuration file -> a `Config`, or every fault of it in one error."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.config.checks import check
from pipelines.config.document import MAX_BYTES, Document, parse
from pipelines.config.explain import explain
from pipelines.config.faults import Fault, Place
from pipelines.config.schema import Config
from pipelines.config.shown import without_secrets
from pipelines.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """`version` names the configuration in every event: the first 12 hex digits of the sha256 of its resolved form
    without secrets. `path` is None for the defaults."""

    config: Config
    version: str
    path: Path | None


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read a configuration; None gives the defaults. `environ` replaces the process's environment.

    Raises:
        ConfigError: every fault of the file, each as `file:line: path.to.key: message`.
    """
    if path is None:
        config = Config()
        return LoadedConfig(config, version_of(config), None)
    config = load_text(read_text(path), str(path), os.environ if environ is None else environ)
    return LoadedConfig(config, version_of(config), path)


def load_text(text: str, name: str, environ: Mapping[str, str]) -> Config:
    """As `load`, from text; `name` is what the faults call the file."""
    config, faults = examine(text, environ)
    if faults or config is None:
        raise ConfigError(_texts(faults, name))
    return config


def examine(text: str, environ: Mapping[str, str]) -> tuple[Config | None, list[Fault]]:
    """The configuration (None when it has faults) and every fault, each once, in the order of the lines."""
    return examine_document(parse(text, environ))


def examine_document(document: Document) -> tuple[Config | None, list[Fault]]:
    """As `examine`, of what was read already."""
    if document.values is None and not document.faults:
        document.faults.append(Fault(1, (), "the file is empty; it needs at least cameras:"))
    elif not isinstance(document.values, dict) and not document.faults:
        document.faults.append(Fault(1, (), "expected keys with values, such as site: and cameras:", document.got(())))
    if not isinstance(document.values, dict):
        return None, _in_order(document.faults)
    config, faults = _validate(document)
    faults = [*document.faults, *faults, *check(document)]
    return (None if faults else config), _in_order(faults)


def fault_at(path: Path | None, place: Place, message: str) -> str:
    """A fault that was found by trying, in the words and with the line of those that the file itself shows."""
    document = parse("" if path is None else read_text(path), os.environ)
    return Fault(document.line(place), place, message).text(str(path))


def version_of(config: Config) -> str:
    """sha256 of the canonical form, first 12 hex digits. The same for another password, another for another zone."""
    canonical = json.dumps(without_secrets(config), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _in_order(faults: list[Fault]) -> list[Fault]:
    ordered = sorted(faults, key=lambda fault: (fault.line, [str(step) for step in fault.place], fault.message))
    return list(dict.fromkeys(ordered))


def _texts(faults: list[Fault], name: str) -> list[str]:
    return list(dict.fromkeys(fault.text(name) for fault in faults))


def read_text(path: Path) -> str:
    """A configuration file's text, its lines ended by one character. Raises ConfigError: it cannot be read."""
    return as_text(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """As it lies on the disk. Raises ConfigError: it cannot be read, or is larger than a configuration may be."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError([f"{path}: larger than {MAX_BYTES // 2**20} MiB; is this a configuration?"])
    return raw


def as_text(raw: bytes, path: Path) -> str:
    """Raises ConfigError: not UTF-8."""
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            [f"{path}:{line}: not UTF-8 (byte 0x{raw[error.start]:02x}); save the file as UTF-8"]
        ) from None


def _validate(document: Document) -> tuple[Config | None, list[Fault]]:
    values = document.values
    for _ in range(2):
        try:
            # JSON mode: strict about types (true is no number, "5" no 5), while a list may be a tuple and text a path.
            return Config.model_validate_json(json.dumps(values), strict=True), []
        except ValidationError as error:
            found = list(explain(error, document))
            # Text from the environment becomes the number that a plain scalar would be, but only where one is wanted.
            wanted = {fault.place for fault in found} & document.substituted.keys()
            if not wanted:
                return None, found
            values = _replace(values, (), {place: document.substituted[place] for place in wanted})
            document.substituted.clear()
    raise AssertionError("the second validation returns")


def _replace(values: Any, at: Place, new: Mapping[Place, Any]) -> Any:
    if at in new:
        return new[at]
    if isinstance(values, dict):
        return {key: _replace(value, (*at, key), new) for key, value in values.items()}
    if isinstance(values, list):
        return [_replace(value, (*at, index), new) for index, value in enumerate(values)]
    return values
