"""What the documents name exists: commands and their options, files, links, make targets; and both READMEs say the same."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

import pytest

from pipelines.cli import build_parser

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")])
ENGLISH, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
FOLDERS = "benchmarks|configs|console|docs|models|pipelines|sample_streams|tests|vision"


def code(text: str) -> tuple[list[str], list[str]]:
    """What is set as code: blocks, and spans of the text between them."""
    parts = text.split("\n```")
    spans = [span for part in parts[::2] for span in re.findall(r"`([^`\n]+)`", part)]
    return ["\n".join(part.splitlines()[1:]) for part in parts[1::2]], spans


def commands(text: str) -> list[str]:
    """Everything that begins with `gatewatch` and goes on with a word; a line that ends in a backslash with the next."""
    blocks, spans = code(text)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    whole = [*spans, *(line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?gatewatch [a-z]", line))]
    return [each for one in whole for each in re.findall(r"gatewatch [a-z](?:(?!\bgatewatch [a-z]).)*", one)]


def unknown(command: str) -> list[str]:
    """The first word that is no command and every option that the command has not."""
    parser, words = build_parser(), command.split()[1:]
    while words and (inner := subcommands(parser)):
        names = words.pop(0).split("|")
        if names[0] in ("COMMAND", "..."):
            break
        if missing := [name for name in names if name not in inner]:
            return missing
        parser = inner[names[0]]
        if words[:1] == ["|"]:
            break  # alternatives: `incidents list | show`
    known = {option for action in parser._actions for option in action.option_strings}
    return [option for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(words)) if option not in known]


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_every_command_that_is_named_is_one_and_has_the_options(path: Path) -> None:
    assert {one: wrong for one in commands(path.read_text("utf-8")) if (wrong := unknown(one))} == {}


def test_the_commands_are_found_and_a_wrong_one_is_told() -> None:
    assert len({one for path in DOCUMENTS for one in commands(path.read_text("utf-8"))}) > 80
    assert [unknown(f"gatewatch {one}") for one in ("fly", "footage eat", "up --cloud", "user add x --role guard")] == [
        ["fly"],
        ["eat"],
        ["--cloud"],
        [],
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_every_file_link_and_target_that_is_named_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    blocks, spans = code(text)
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    said = " ".join([*spans, *blocks])
    named = re.findall(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]*\w", said)
    assert [one for one in named if not (ROOT / one).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?<![\w-])make ([a-z][a-z-]*)", " ".join(spans))) <= targets


# The two READMEs


def sections(path: Path) -> list[str]:
    return path.read_text("utf-8").split("\n## ")


def test_both_readmes_have_the_same_sections_code_commands_and_links() -> None:
    assert len(sections(ENGLISH)) == len(sections(CHINESE)) >= 7
    for here, there in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        (blocks, spans), (blocks_there, spans_there) = code(here), code(there)
        assert blocks == blocks_there
        assert Counter(spans) == Counter(spans_there)
        assert links_of(here) == links_of(there)


def links_of(text: str) -> Counter[str]:
    """Pictures and documents have their language in their names."""
    found = re.findall(r"\]\(([^)]+)\)", text)
    return Counter(re.sub(r"\.(?:zh-CN|en)(?=\.)", "", link) for link in found)


def test_both_readmes_have_the_same_figures() -> None:
    (rows, rows_there) = (
        [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")] for path in (ENGLISH, CHINESE)
    )
    assert len(rows) == len(rows_there) > 15
    for here, there in zip(rows, rows_there, strict=True):
        assert figures(here) == figures(there), here


def figures(row: str) -> Counter[str]:
    """Numbers, in digits or as the words of either language."""
    said = re.sub(r"(?<=\d),(?=\d{3})", "", row)
    for word, number in (("a tenth", "0.1"), ("十分之一", "0.1")):
        said = said.replace(word, number)
    return Counter(re.findall(r"(?<![\d.])\.?\d+(?:\.\d+)*", said))
