"""What differs between two texts of a configuration, line by line, as an administrator may see it.

Nothing that gives access is in it: no password, token or key, not in a comment either; and lines that did not change show no
address at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipelines.config.faults import MASK, SECRET_KEYS, mask_credentials
from pipelines.config.splice import Hard, compose

_CONTEXT: Final = 3
_VARIABLE: Final = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*\})+")
_ADDRESS: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://)[^\s\"'\]},]+")
#: In comments: `password: x`, `token = x`.
_SPOKEN: Final = re.compile(
    rf"(?i)\b((?:[\w-]*(?:{'|'.join(sorted(SECRET_KEYS))}|passwd|pwd)[\"']?)\s*[:=]\s*)(?![\"']?\$\{{)(?=\S)[^\n]*"
)
_SHORTEST: Final = 4


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`old` and `new`: numbers of the line on each side, from 1; None: it is not there. A `gap` stands for lines left out."""

    kind: Literal["same", "gone", "new", "gap"]
    old: int | None
    new: int | None
    text: str


def differences(before: str, after: str, secrets: Iterable[str] = ()) -> list[DiffLine]:
    """`secrets` are values that must not be seen wherever they stand."""
    hidden = sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True)
    old, new = before.splitlines(), after.splitlines()
    shown_old, shown_new = (_redacted(text, hidden) for text in (before, after))
    out: list[DiffLine] = []
    groups = list(SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT))
    for number, group in enumerate(groups):
        if number or group[0][1] > 0:
            out.append(DiffLine("gap", None, None, ""))
        for what, i, j, k, m in group:
            if what == "equal":
                out += [
                    DiffLine("same", i + at + 1, k + at + 1, _without_addresses(shown_old[i + at]))
                    for at in range(j - i)
                ]
                continue
            out += [DiffLine("gone", at + 1, None, shown_old[at]) for at in range(i, j)]
            out += [DiffLine("new", None, at + 1, shown_new[at]) for at in range(k, m)]
    return out


def _without_addresses(line: str) -> str:
    return _ADDRESS.sub(rf"\1{MASK}", line)


def _redacted(text: str, hidden: list[str]) -> list[str]:
    """As many lines as `text` has. Of what is no YAML nothing can be said to be no secret, so nothing of it is shown."""
    bare = text.removeprefix("\ufeff")
    try:
        spans = list(_secret_spans(compose(bare), secret=False))
    except Hard:
        return [MASK if line.strip() else "" for line in bare.splitlines()]
    return [_line(line, hidden) for line in _masked(bare, spans).splitlines()]


def _line(line: str, hidden: list[str]) -> str:
    for secret in hidden:
        line = line.replace(secret, MASK)
    code, mark, comment = line.partition("#")
    return mask_credentials(code + mark + _SPOKEN.sub(rf"\1{MASK}", comment))


def _secret_spans(node: Node, *, secret: bool) -> Iterator[tuple[int, int]]:
    """From where to where the text holds a secret."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _secret_spans(value, secret=secret or key.value in SECRET_KEYS)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _secret_spans(item, secret=secret)
    elif isinstance(node, ScalarNode) and secret and not _VARIABLE.fullmatch(str(node.value)):
        yield node.start_mark.index, node.end_mark.index


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    """Line breaks inside a span stay."""
    out, at = "", 0
    for start, end in sorted(set(spans)):
        if start < at or start == end:
            continue
        out += text[at:start] + MASK + "\n" * text.count("\n", start, end)
        at = end
    return out + text[at:]
