"""Values as pieces of YAML, in the style of what stands around them; and a whole document through ruamel's round trip."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

_WIDTH = 100_000


@dataclass(frozen=True, slots=True)
class Indents:
    """How far the document moves in: `step` for a mapping in a mapping, `dash` for a list's dash in one."""

    step: int = 2
    dash: int = 2

    @classmethod
    def of(cls, root: Node) -> Self:
        """As the first ones of each kind do; the usual where there are none."""
        steps: list[int] = []
        dashes: list[int] = []

        def look(node: Node, depth: int) -> None:
            if depth > 40 or flows(node):
                return
            if isinstance(node, MappingNode):
                for key, value in node.value:
                    within = not flows(value) and value.value
                    if within and value.start_mark.line > key.start_mark.line:
                        columns = value.start_mark.column - key.start_mark.column
                        (steps if isinstance(value, MappingNode) else dashes).append(columns)
                    look(value, depth + 1)
            elif isinstance(node, SequenceNode):
                for item in node.value:
                    look(item, depth + 1)

        look(root, 0)
        return cls(next((step for step in steps if step > 0), 2), next((dash for dash in dashes if dash >= 0), 2))


def flows(node: Node) -> bool:
    """Whether it is a list or a mapping in `[]` or `{}`, or a scalar."""
    return not isinstance(node, MappingNode | SequenceNode) or bool(node.flow_style)


def scalar(value: Any, like: Node | None = None) -> str:
    """One value, in quotes where `like` has them."""
    style = getattr(like, "style", None)
    if isinstance(value, str) and style == '"':
        value = DoubleQuotedScalarString(value)
    elif isinstance(value, str) and style == "'":
        value = SingleQuotedScalarString(value)
    # Inside a list in one line, so that what would end it there is quoted.
    return _dumped(in_one_line([value]), Indents()).strip()[1:-1]


def fragment(value: Any, like: Node | None, indents: Indents, column: int) -> str:
    """`value` in the style of `like` (None: in one line). In the block style it begins with a newline and stands `column`
    (of its key or item) further right."""
    if not isinstance(value, dict | list):
        return scalar(value, like)
    if like is None or flows(like) or not value:
        return _dumped(in_one_line(value), indents).strip()
    inner = column + indents.step if isinstance(value, dict) else column
    if isinstance(value, dict) and like.start_mark.column == column:
        inner = column  # an item of a list: its keys stand where it does
    lines = _dumped(_shaped(value, like), indents).rstrip("\n").split("\n")
    return "".join(f"\n{' ' * inner}{line}" for line in lines)


def listed(values: list[Any], indents: Indents, column: int) -> str:
    """A list with a line for each item, under a key that stands at `column`."""
    return "".join(f"\n{' ' * (column + indents.dash)}- {fragment(one, None, indents, 0)}" for one in values)


def round_trip(text: str, change: Callable[[Any], None], root: Node) -> str:
    """The whole document read, changed by `change(document)` and written by ruamel: comments and order stay, the way it is
    laid out may not."""
    indents = Indents.of(root)
    yaml = _yaml(indents)
    document = yaml.load(text)
    change(document)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _yaml(indents: Indents) -> YAML:
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.preserve_quotes = True
    yaml.indent(mapping=indents.step, sequence=indents.dash + 2, offset=indents.dash)
    return yaml


def _dumped(value: Any, indents: Indents) -> str:
    out = io.StringIO()
    _yaml(indents).dump(value, out)
    # ruamel moves the inner lists of a line in by the list's indent.
    return re.sub(r"\[ +\[", "[[", out.getvalue())


def in_one_line(value: Any) -> Any:
    """For ruamel: a value that stands in one line, `{a: [1, 2]}`."""
    if isinstance(value, dict):
        made = CommentedMap((key, in_one_line(one)) for key, one in value.items())
        made.fa.set_flow_style()
        return made
    if isinstance(value, list):
        items = CommentedSeq(in_one_line(one) for one in value)
        items.fa.set_flow_style()
        return items
    return value


def _shaped(value: Any, like: Node | None) -> Any:
    """Laid out as `like` is, as far as it goes."""
    if not isinstance(value, dict | list) or like is None or flows(like):
        return in_one_line(value)
    if isinstance(value, dict):
        keys = {key.value: one for key, one in like.value} if isinstance(like, MappingNode) else {}
        made = CommentedMap((key, _shaped(one, keys.get(key))) for key, one in value.items())
        made.fa.set_block_style()
        return made
    first = like.value[0] if isinstance(like, SequenceNode) and like.value else None
    if all(isinstance(one, int | float) for one in value):
        first, like = None, None  # a point stands in one line however the others are written
    items = CommentedSeq(_shaped(one, first) for one in value)
    (items.fa.set_flow_style if like is None else items.fa.set_block_style)()
    return items
