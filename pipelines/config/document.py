"""YAML text -> plain values, with the line of every key and value.

The YAML 1.2 core schema: `yes`, `06:30` and `2026-10-10` are text, only `true` and `false` are booleans. Duplicate
keys, tags and further documents are faults; merge keys (`<<: *name`) work. `${NAME}` and `${NAME:-default}` in a value
are replaced from the environment (`$${` gives a literal `${`); faults only ever show the text as it was written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from pipelines.config.faults import Fault, Place, shown

MAX_BYTES: Final = 2**20
_MAX_DEPTH: Final = 40
_MAX_VALUES: Final = 200_000
_VARIABLE: Final = re.compile(r"\$(?P<escape>\$)?\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAG: Final = "tag:yaml.org,2002:"


def _implicit() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """What YAML 1.2's core schema resolves (section 10.3.2) without octal, hexadecimal, infinity and not-a-number."""
    number = "0|[1-9][0-9]*"
    plain = (
        ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", "true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", rf"[-+]?(?:{number})", list("-+0123456789")),
        ("float", rf"[-+]?(?:\.[0-9]+|(?:{number})(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
        ("merge", "<<", ["<"]),
    )
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, pattern, firsts in plain:
        for first in firsts:
            resolvers.setdefault(first, []).append((_TAG + kind, re.compile(rf"(?:{pattern})\Z")))
    return resolvers


class _Resolver(BaseResolver):
    yaml_implicit_resolvers = _implicit()


class _Loader(Reader, Scanner, Parser, Composer, _Resolver):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        _Resolver.__init__(self)


@dataclass
class Document:
    """`values` are dicts, lists, text, numbers, booleans and None; the rest says where they stand and what is wrong."""

    values: Any = None
    faults: list[Fault] = field(default_factory=list)
    key_lines: dict[Place, int] = field(default_factory=dict)
    value_lines: dict[Place, int] = field(default_factory=dict)
    written: dict[Place, str] = field(default_factory=dict)
    #: Places whose value came from the environment, with the value that a plain scalar would have had.
    substituted: dict[Place, Any] = field(default_factory=dict)
    #: Places with a `${NAME}`: their value is never repeated in a message.
    expanded: set[Place] = field(default_factory=set)
    #: Places that could not be read (an unset variable): what follows from them is not reported again.
    unread: set[Place] = field(default_factory=set)

    def line(self, place: Place) -> int:
        """The line of a value, else of the nearest thing around it."""
        for end in range(len(place), -1, -1):
            if place[:end] in self.value_lines:
                return self.value_lines[place[:end]]
        return 1

    def key_line(self, place: Place) -> int:
        return self.key_lines.get(place) or self.line(place)

    def got(self, place: Place) -> str:
        """The value at `place` as written, ready for a message."""
        return self.written.get(place, "nothing")


def parse(text: str, environ: Mapping[str, str]) -> Document:
    """Never raises for what `text` holds: what is wrong with it is in `faults`."""
    document = Document()
    try:
        root = _compose(text, document)
    except yaml.YAMLError as error:
        document.faults.append(_syntax_fault(error, text))
        return document
    except (ValueError, OverflowError):
        # PyYAML's own on an escape beyond Unicode such as "\\UFFFFFFFF"; it tells no place.
        document.faults.append(Fault(1, (), "YAML: an escape in a quoted text is beyond Unicode"))
        return document
    if root is not None and not document.faults:
        document.values = _Builder(document, environ).build(root, ())
    return document


def _compose(text: str, document: Document) -> Node | None:
    # A first pass over the events bounds the depth: composing is recursive.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):  # type: ignore[arg-type]
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            document.faults.append(
                Fault(
                    event.start_mark.line + 1 if event.start_mark else 1, (), f"nested deeper than {_MAX_DEPTH} levels"
                )
            )
            return None
    loader = _Loader(text)
    root: Node | None = loader.get_single_node()
    return root


def _syntax_fault(error: yaml.YAMLError, text: str) -> Fault:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Fault(line, (), f"the character U+{ord(text[error.position]):04X} is not allowed in YAML")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else 1
    problem = " ".join(str(getattr(error, "problem", None) or "cannot be read").split())
    if isinstance(error, yaml.composer.ComposerError) and problem == "but found another document":
        return Fault(line, (), "a second document begins here; one file holds one document: remove the line '---'")
    lines = text.split("\n")
    source = lines[line - 1] if line <= len(lines) else ""
    if "\\t" in problem or source[: len(source) - len(source.lstrip())].count("\t"):
        return Fault(line, (), "a tab character; YAML is indented with spaces")
    if "${" in source and re.search(r"[:,{\[]\s*[^\s\"']*\$\{", source):
        return Fault(line, (), f"YAML: {problem}; inside [] or {{}} write text with ${{NAME}} in double quotes")
    return Fault(line, (), f"YAML: {problem}")


class _Builder:
    """Turns nodes into values, noting places and faults in the document."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._open: list[Node] = []
        self._values = 0

    def build(self, node: Node, place: Place) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES:
            if self._values == _MAX_VALUES + 1:
                self._fault(node, place, f"more than {_MAX_VALUES} values: aliases (*name) repeat too much")
            return None
        self._document.value_lines[place] = node.start_mark.line + 1
        if not self._enter(node, place):
            return None
        try:
            if isinstance(node, MappingNode):
                self._document.written[place] = "a mapping"
                return self._mapping(node, place)
            if isinstance(node, SequenceNode):
                self._document.written[place] = f"a list of {len(node.value)}"
                self._plain_tag(node, place, "seq")
                return [self.build(item, (*place, index)) for index, item in enumerate(node.value)]
            return self._scalar(node, place)
        finally:
            self._open.pop()

    def _fault(self, node: Node, place: Place, message: str) -> None:
        self._document.faults.append(Fault(node.start_mark.line + 1, place, message))
        self._document.unread.add(place)

    def _plain_tag(self, node: Node, place: Place, *kinds: str) -> bool:
        if node.tag in {_TAG + kind for kind in kinds}:
            return True
        self._fault(node, place, f"a tag is not allowed here; got {shown(node.tag.replace(_TAG, '!!'))}")
        return False

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        self._plain_tag(node, place, "map")
        values: dict[str, Any] = {}
        self._fill(node, place, values)
        return values

    def _fill(self, node: MappingNode, place: Place, values: dict[str, Any]) -> None:
        """Put the keys of `node` that `values` lacks into it: its own first, then those that it merges."""
        merged: list[Node] = []
        own: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._fault(key_node, place, "a key must be text; got a list or a mapping")
                continue
            if key_node.tag == _TAG + "merge":
                merged += value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                continue
            key = str(key_node.value)
            at = (*place, key)
            if key in own:
                message = f"this key is there twice, first in line {own[key]}"
                self._document.faults.append(Fault(line, at, message))
                continue
            own[key] = line
            if key not in values:
                self._document.key_lines[at] = line
                values[key] = self.build(value_node, at)
        for source in merged:
            if not isinstance(source, MappingNode):
                self._fault(source, place, "<< takes a mapping (*name) or a list of them")
            elif self._enter(source, place):
                self._fill(source, place, values)
                self._open.pop()

    def _enter(self, node: Node, place: Place) -> bool:
        if any(node is outer for outer in self._open):
            self._fault(node, place, "an alias (*name) that contains itself")
            return False
        if len(self._open) >= _MAX_DEPTH:
            self._fault(node, place, f"nested deeper than {_MAX_DEPTH} levels")
            return False
        self._open.append(node)
        return True

    def _scalar(self, node: Node, place: Place) -> Any:
        text = str(node.value)
        self._document.written[place] = shown(text, place) if text else "nothing"
        if not self._plain_tag(node, place, "str", "int", "float", "bool", "null", "merge"):
            return None
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._fault(node, place, "half of a surrogate pair is not a character")
            return None
        if "${" in text:
            return self._substitute(node, text, place)
        try:
            return _typed(node.tag.removeprefix(_TAG), text)
        except ValueError:
            self._fault(node, place, f"{shown(text, place)} is not a number")
            return None

    def _substitute(self, node: Node, text: str, place: Place) -> str | None:
        missing = []
        self._document.expanded.add(place)

        def value(match: re.Match[str]) -> str:
            if match["escape"]:
                return match[0][1:]
            if not _NAME.fullmatch(match["name"]):
                missing.append(f"{shown(match[0])} does not name a variable; write ${{NAME}} or ${{NAME:-default}}")
                return ""
            found = self._environ.get(match["name"]) or match["default"]
            if found is None:
                empty = "empty" if match["name"] in self._environ else "not set"
                missing.append(f"the environment variable {match['name']} is {empty}")
            return found or ""

        result = _VARIABLE.sub(value, text)
        for message in missing:
            self._fault(node, place, message)
        if missing:
            return None
        if getattr(node, "style", None) is None:
            tag: str = _Resolver().resolve(ScalarNode, result, (True, False))  # type: ignore[no-untyped-call]
            with suppress(ValueError):
                self._document.substituted[place] = _typed(tag.removeprefix(_TAG), result)
        return result


def _typed(kind: str, text: str) -> Any:
    """Raises: ValueError: the number is none, or beyond what a float holds."""
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in {"int", "float"}:
        number = float(text)
        if math.isinf(number) or math.isnan(number):
            raise ValueError("beyond a float")
        return int(text) if kind == "int" and len(text) <= 20 else number
    return text
