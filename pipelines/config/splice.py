"""Changes to YAML as the fewest changes to its text: what is not touched stays as the administrator wrote it.

`changes` compares what the text says with what it should say and gives back pieces of text to put in; whoever calls puts
them in, reads the text anew and asks again until nothing is left to do. Positions are characters from the start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipelines.config.faults import Place
from pipelines.config.fragments import Indents, flows, fragment, listed, scalar

_BLOCK_SCALARS: Final = ("|", ">")
Pair: TypeAlias = tuple[Node, Node]


class Hard(Exception):
    """The text is written in a way that cannot be changed in pieces (an alias, a block scalar, ...)."""


@dataclass(frozen=True, slots=True, order=True)
class Splice:
    """`text` takes the place of what stands in [start, end)."""

    start: int
    end: int
    text: str


def compose(text: str) -> Node:
    """The nodes of a text that our own reader has found to be good YAML. Raises Hard: ruamel cannot read it."""
    try:
        found = YAML().compose(text)
    except YAMLError as error:
        raise Hard from error
    if not isinstance(found, Node):
        raise Hard
    return found


def put_in(text: str, splices: list[Splice]) -> str:
    """Those that do not touch each other, the earlier one first; the others come with the next round."""
    done = -1
    out, at = "", 0
    for splice in sorted(splices):
        if splice.start <= done:
            continue
        out += text[at : splice.start] + splice.text
        at = done = splice.end
    return out + text[at:]


def rename(text: str, root: Node, place: Place, name: str) -> list[Splice]:
    """Another key for the value at `place`. Raises Hard."""
    parent = _find(root, place[:-1])
    for key, _ in _pairs(parent):
        if key.value == place[-1]:
            return [Splice(key.start_mark.index, key.end_mark.index, scalar(name, key))]
    raise Hard


def drop(text: str, root: Node, place: Place) -> list[Splice]:
    """Take out the key or item at `place`. Raises Hard."""
    surgeon = _Surgeon(text, root)
    parent = _find(root, place[:-1])
    if isinstance(parent, MappingNode):
        return surgeon.without_key(parent, _owner(root, place[:-1]), str(place[-1]))
    return surgeon.without_items(parent, _owner(root, place[:-1]), [int(place[-1])])


def changes(text: str, root: Node, old: Any, new: Any, at: Place = ()) -> list[Splice]:
    """What makes the value at `at`, which is `old`, into `new`. Raises Hard."""
    return list(_Surgeon(text, root).between(_find(root, at), _owner(root, at), old, new))


def _pairs(node: Node) -> list[Pair]:
    if not isinstance(node, MappingNode):
        raise Hard
    return list(node.value)


def _find(root: Node, place: Place) -> Node:
    """The node written at `place`. Raises Hard: it is not written there (merged from elsewhere)."""
    node = root
    for step in place:
        if isinstance(node, MappingNode):
            found = [value for key, value in node.value if key.value == step]
        else:
            found = list(node.value)[int(step) : int(step) + 1] if isinstance(node, SequenceNode) else []
        if not found:
            raise Hard
        node = found[0]
    return node


def _owner(root: Node, place: Place) -> Node | None:
    """The key of the value at `place`; None for an item of a list."""
    if not place or isinstance(place[-1], int):
        return None
    return next((key for key, _ in _pairs(_find(root, place[:-1])) if key.value == place[-1]), None)


class _Surgeon:
    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._indents = Indents.of(root)
        self._newline = "\r\n" if "\r\n" in text else "\n"

    # What is where

    def _end(self, node: Node, key: Node | None = None) -> int:
        """Behind the last character of a value, of `key` if it has one. Raises Hard: parts of it stand elsewhere."""
        if isinstance(node, ScalarNode):
            if node.style in _BLOCK_SCALARS:
                raise Hard
            if node.start_mark.index == node.end_mark.index and key is not None:
                return self._behind_colon(key)  # nothing is written; its mark is at whatever comes next
            return int(node.end_mark.index)
        if flows(node) or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        name, child = last if isinstance(node, MappingNode) else (None, last)
        if child.start_mark.index < (node if name is None else name).start_mark.index:
            raise Hard  # an alias: the node stands where its anchor is
        return self._end(child, name)

    def _behind_colon(self, key: Node) -> int:
        return self._text.index(":", key.end_mark.index) + 1

    def _line_start(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        """Before the end of the line, behind a comment in it."""
        end = self._text.find("\n", index)
        end = len(self._text) if end < 0 else end
        return end - 1 if end > index and self._text[end - 1] == "\r" else end

    def _next_line(self, index: int) -> int:
        end = self._text.find("\n", index)
        return len(self._text) if end < 0 else end + 1

    def _first_in_line(self, index: int) -> bool:
        return not self._text[self._line_start(index) : index].strip()

    def _column(self, index: int) -> int:
        return index - self._line_start(index)

    def _dash(self, item: Node) -> int:
        """Where the dash of a block list's item stands. Raises Hard: not first in its line."""
        index = self._text.rfind("-", self._line_start(item.start_mark.index), item.start_mark.index)
        if index < 0 or not self._first_in_line(index) or self._text[index + 1 : item.start_mark.index].strip():
            raise Hard
        return index

    # Differences

    def between(self, node: Node, owner: Node | None, old: Any, new: Any) -> Iterator[Splice]:
        """`owner` is the node's key. `old` and `new` are values as our reader gives them."""
        if old == new and type(old) is type(new):
            return
        if owner is not None and node.start_mark.index < owner.end_mark.index:
            raise Hard
        if isinstance(node, MappingNode) and isinstance(old, dict) and isinstance(new, dict):
            yield from self._mapping(node, owner, old, new)
        elif isinstance(node, SequenceNode) and isinstance(old, list) and isinstance(new, list):
            yield from self._list(node, owner, old, new)
        elif not (isinstance(old, int | float) and isinstance(new, int | float) and old == new):
            yield self._replaced(node, owner, new)

    def _replaced(self, node: Node, owner: Node | None, new: Any) -> Splice:
        end = self._end(node, owner)
        start = min(end, node.start_mark.index)
        if not isinstance(new, dict | list):
            text = scalar(new, node)
        elif isinstance(node, ScalarNode) or flows(node):
            text = fragment(new, None, self._indents, 0)
        else:
            raise Hard
        return Splice(start, end, text if start < end or not self._text[:start].endswith(":") else f" {text}")

    def _mapping(self, node: Node, owner: Node | None, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Splice]:
        gone = [key for key in old if key not in new]
        if gone:
            yield from self.without_key(node, owner, gone[0])
            return
        own = {key.value: (key, value) for key, value in node.value}
        for key, value in new.items():
            if key in own and key in old:
                yield from self.between(own[key][1], own[key][0], old[key], value)
        added = {key: value for key, value in new.items() if key not in own and (key not in old or old[key] != value)}
        if added:
            yield self._with_keys(node, owner, added)

    def _with_keys(self, node: Node, owner: Node | None, added: dict[str, Any]) -> Splice:
        pairs = _pairs(node)
        if flows(node):
            inside = fragment(added, None, self._indents, 0)[1:-1]
            if not pairs:
                return Splice(node.start_mark.index + 1, node.start_mark.index + 1, inside)
            end = len(self._text[: node.end_mark.index - 1].rstrip())  # the last value may be an alias
            if self._text[end - 1] == "," or "#" in self._text[self._line_start(end) : end]:
                end = self._flow_end(pairs[-1][1], pairs[-1][0].end_mark.index)
            return Splice(end, end, f", {inside}")
        column = self._column(pairs[0][0].start_mark.index)
        like = pairs[-1][1]
        shaped = {
            key: listed(value, self._indents, column)
            if isinstance(value, list) and any(isinstance(one, dict) for one in value)
            else fragment(value, like, self._indents, column)
            for key, value in added.items()
        }
        lines = [f"{scalar(key)}:{'' if text.startswith(chr(10)) else ' '}{text}" for key, text in shaped.items()]
        at = self._line_end(self._end(node))
        text = "".join(f"\n{' ' * column}{line}" for line in lines)
        return Splice(at, at, text.replace("\n", self._newline))

    def _flow_end(self, node: Node, before: int) -> int:
        if node.start_mark.index < before:
            raise Hard
        return int(node.end_mark.index)

    def without_key(self, node: Node, owner: Node | None, name: str) -> list[Splice]:
        pairs = _pairs(node)
        number = next((at for at, (key, _) in enumerate(pairs) if key.value == name), None)
        if number is None:
            raise Hard
        key, value = pairs[number]
        if flows(node):
            spans = [(one.start_mark.index, self._flow_end(other, one.end_mark.index)) for one, other in pairs]
            return [self._out_of_flow(spans, number)]
        if len(pairs) == 1:
            return self._emptied(node, owner, key.start_mark.index, "{}")
        if self._first_in_line(key.start_mark.index):
            return [Splice(self._line_start(key.start_mark.index), self._next_line(self._end(value, key)), "")]
        if number + 1 == len(pairs):
            raise Hard
        following = pairs[number + 1][0].start_mark.index
        if "#" in self._text[self._end(value, key) : following]:
            raise Hard
        return [Splice(key.start_mark.index, following, "")]

    def _emptied(self, node: Node, owner: Node | None, first: int, text: str) -> list[Splice]:
        """A block collection loses all that it had; a comment behind its key stays."""
        if owner is None or self._line_start(first) <= owner.end_mark.index:
            raise Hard
        colon = self._behind_colon(owner)
        return [
            Splice(colon, colon, f" {text}"),
            Splice(self._line_start(first), self._next_line(self._end(node)), ""),
        ]

    def _out_of_flow(self, spans: list[tuple[int, int]], number: int) -> Splice:
        start, end = spans[number]
        if number + 1 < len(spans):
            following = spans[number + 1][0]
            if "#" in self._text[end:following]:
                following = self._text.index(",", end) + 1
            return Splice(start, following, "")
        if number and "#" not in self._text[spans[number - 1][1] : start]:
            start = spans[number - 1][1]
        return Splice(start, end, "")

    def _list(self, node: Node, owner: Node | None, old: list[Any], new: list[Any]) -> Iterator[Splice]:
        if len(old) != len(node.value):
            raise Hard
        had, wants = ([json.dumps(one, sort_keys=True) for one in values] for values in (old, new))
        for what, i, j, k, m in SequenceMatcher(None, had, wants, autojunk=False).get_opcodes():
            both = min(j - i, m - k) if what == "replace" else 0
            for step in range(both):
                yield from self.between(self._item(node, i + step), None, old[i + step], new[k + step])
            if what != "equal" and j > i + both:
                yield from self.without_items(node, owner, list(range(i + both, j)))
                return  # what follows is found again in the next round
            if what != "equal" and m > k + both:
                yield self._with_items(node, i + both, new[k + both : m])

    def _item(self, node: Node, number: int) -> Node:
        """Raises Hard: it is an alias of what stands elsewhere."""
        item: Node = node.value[number]
        before = node.value[number - 1] if number else None
        if item.start_mark.index < (node.start_mark.index if before is None else before.end_mark.index):
            raise Hard
        return item

    def without_items(self, node: Node, owner: Node | None, numbers: list[int]) -> list[Splice]:
        items = [self._item(node, number) for number in range(len(node.value))]
        if flows(node):
            spans = [(item.start_mark.index, int(item.end_mark.index)) for item in items]
            return [self._out_of_flow(spans, numbers[-1])]
        if len(numbers) == len(items):
            return self._emptied(node, owner, self._dash(items[0]), "[]")
        item = items[numbers[-1]]
        return [Splice(self._line_start(self._dash(item)), self._next_line(self._end(item)), "")]

    def _with_items(self, node: Node, number: int, values: list[Any]) -> Splice:
        """Before item `number`."""
        count = len(node.value)
        if flows(node):
            inside = fragment(values, None, self._indents, 0)[1:-1]
            if not count:
                return Splice(node.start_mark.index + 1, node.start_mark.index + 1, inside)
            if number < count:
                at = self._item(node, number).start_mark.index
                return Splice(at, at, f"{inside}, ")
            end = int(self._item(node, count - 1).end_mark.index)
            return Splice(end, end, f", {inside}")
        like = self._item(node, max(0, number - 1))
        dash = self._dash(like)
        column = self._column(dash)
        step = like.start_mark.index - dash
        lines = []
        for value in values:
            text = fragment(value, like, self._indents, column + step).removeprefix("\n" + " " * (column + step))
            lines.append(f"{' ' * column}-{' ' * (step - 1)}{text}")
        if number == 0:
            at = self._line_start(dash)
            return Splice(at, at, "".join(line + "\n" for line in lines).replace("\n", self._newline))
        at = self._line_end(self._end(like))
        return Splice(at, at, "".join("\n" + line for line in lines).replace("\n", self._newline))
