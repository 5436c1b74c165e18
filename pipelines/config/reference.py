"""The page docs/configuration.md, from the schema: a table for every mapping."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from pipelines.config.quantities import written
from pipelines.config.schema import Config

_HEAD: Final = """\
# Configuration

One YAML file describes a site. `configs/gatewatch.yaml` has every key with its default, `configs/gate-north.yaml` is a
worked example. `gatewatch config check` names every fault with file and line, `gatewatch config show` prints what is in
force with secrets masked, `gatewatch config schema > gatewatch.schema.json` makes editors complete and check
(`# yaml-language-server: $schema=gatewatch.schema.json` in the first line). A running Gatewatch takes a changed file up by
itself, or at once after SIGHUP; a bad one changes nothing and is told in the log. Zones, masks, ground points and rules
can also be drawn in the control room ([console.md](console.md)), which changes these lines and no others.

- **Durations and sizes** have a unit: `500ms`, `90s`, `3m`, `12h`, `30d`, `2w`; `500MB`, `50GiB`. Plain numbers are
  seconds and bytes.
- **`${NAME}`** in a value comes from the environment, `${NAME:-default}` with a default; `$${` is a literal `${`. Inside
  `[]` and `{}` write such a text in double quotes. In a user or password, `@ : / ? # [ ] %` stand in percent form (`%40`).
- **Polygons** are lists of corners `[x, y]`, 0..1 of the picture, origin top left.
- **YAML 1.2**: `yes` and `06:30` are text, only `true` and `false` are booleans; a key may stand there once. Merge keys
  (`<<: *name`) work.
- **Schedules**: `always`, `never`, or `DAYS HH:MM-HH:MM[, HH:MM-HH:MM]`, several joined by `;`, or the name of one in
  `schedules`. DAYS is `daily`, `school_days`, `non_school_days`, or weekdays such as `mon-fri` or `sat,sun`. A range whose
  end is not after its start goes past midnight and belongs to the day on which it starts. School days are Monday to Friday
  inside a term and no holiday, and every extra school day. Hours are those of the site's wall clock: one that a change
  from summer time repeats counts twice.
- **Dates** are `2026-10-01`, ranges `2026-10-01/2026-10-07` with both ends.

This page is made from the schema (`gatewatch config schema --as markdown`).
"""


def markdown() -> str:
    """The whole page."""
    schema = Config.model_json_schema(by_alias=True)
    return _HEAD + "".join(_tables(schema, schema["$defs"], "The file"))


def _tables(section: dict[str, Any], definitions: dict[str, Any], title: str) -> Iterator[str]:
    yield f"\n## {title}\n\n"
    if title != "The file":
        yield f"{section.get('description', '')}\n\n"
    yield "| key | default | meaning |\n| --- | --- | --- |\n"
    inner: list[tuple[str, dict[str, Any]]] = []
    for key, about in section["properties"].items():
        for at, found in _sections(about, definitions):
            place = f"`{key}{at}`" if title == "The file" else f"{title.removesuffix('`')}.{key}{at}`"
            inner.append((place, found))
        meaning = about.get("description") or next(
            (found["description"] for _, found in _sections(about, definitions)), ""
        )
        choices = [about["const"]] if "const" in about else about.get("enum", [])
        if choices:
            meaning = f"{meaning} One of {', '.join(f'`{choice}`' for choice in choices)}.".strip()
        for example in about.get("examples", []):
            meaning += f" Example: `{json.dumps(example, ensure_ascii=False).strip(chr(34))}`."
        yield f"| `{key}` | {_default(key, about, section)} | {meaning.replace('|', chr(92) + '|')} |\n"
    for place, found in inner:
        yield from _tables(found, definitions, place)


def _default(key: str, about: dict[str, Any], section: dict[str, Any]) -> str:
    if key in section.get("required", []):
        return "needed"
    default = written(about)
    if default is None or (isinstance(default, dict) and default):
        return "-"
    return f"`{json.dumps(default, ensure_ascii=False).strip(chr(34))}`"


def _sections(about: dict[str, Any], definitions: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The mappings that a key holds, each with how it is reached from the key: ``, `.NAME`, `[]`, `[kind]`."""
    if "$ref" in about:
        yield "", definitions[about["$ref"].rpartition("/")[2]]
    for choice in about.get("anyOf", []):
        yield from _sections(choice, definitions)
    for kind, ref in about.get("discriminator", {}).get("mapping", {}).items():
        yield f": {kind}", definitions[ref.rpartition("/")[2]]
    if "items" in about:
        yield from ((f"[]{at}", found) for at, found in _sections(about["items"], definitions))
    named = about.get("additionalProperties") or next(iter(about.get("patternProperties", {}).values()), None)
    if isinstance(named, dict):
        yield from ((f".NAME{at}", found) for at, found in _sections(named, definitions))
