"""The files that are shipped: equal to the defaults, valid in an editor, complete, and as the documentation says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipelines.config import load
from pipelines.config.document import parse
from pipelines.config.editor import editor_schema
from pipelines.config.loader import load_text
from pipelines.config.reference import markdown
from pipelines.config.retention import BUILT_IN_PROFILES
from pipelines.config.schema import Config
from pipelines.recording.policy import PROFILES

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "configs").glob("*.yaml"))
ENVIRON = {"GATE_NORTH_USER": "guard", "GATE_NORTH_PASSWORD": "x", "DATABASE_PASSWORD": "x"}


def with_examples() -> str:
    """configs/gatewatch.yaml with everything in it that is commented out as an example."""
    text = (ROOT / "configs/gatewatch.yaml").read_text("utf-8")
    text = re.sub(r"^( *\w+): (?:\{\}|\[\])(?=\n#  )", r"\1:", text, flags=re.MULTILINE)
    return re.sub(r"^#  data: .*$", lambda match: match[0][3:], text, flags=re.MULTILINE).replace("\n#  ", "\n  ")


def test_every_default_is_in_the_shipped_file_and_is_the_default() -> None:
    assert load(ROOT / "configs/gatewatch.yaml").config == Config()


def test_every_key_is_in_the_shipped_file() -> None:
    values = parse(with_examples(), {}).values
    schema = Config.model_json_schema(by_alias=True)
    missing = list(missing_keys(schema, values, schema["$defs"], ""))
    # Their keys are named in a comment, or are those of `recording` itself.
    assert missing == []


def missing_keys(section: dict[str, Any], values: Any, definitions: dict[str, Any], place: str) -> Any:
    if "$ref" in section:
        section = definitions[section["$ref"].rpartition("/")[2]]
    if "discriminator" in section:
        for kind, ref in section["discriminator"]["mapping"].items():
            found = [value for value in values if value["kind"] == kind] or [{}]
            yield from missing_keys({"$ref": ref}, found[0], definitions, f"{place}[{kind}]")
        return
    for key, about in section.get("properties", {}).items():
        if key not in values:
            yield f"{place}.{key}"
        elif isinstance(values[key], list) and "items" in about and values[key]:
            inner = about["items"]
            first = values[key] if "discriminator" in inner else values[key][0]
            yield from missing_keys(inner, first, definitions, f"{place}.{key}") if "type" not in inner else ()
        elif isinstance(values[key], dict):
            named = about.get("patternProperties")
            if named:
                inner, target = next(iter(named.values())), next(iter(values[key].values()), None)
                if "discriminator" in inner:
                    yield from missing_keys(inner, list(values[key].values()), definitions, f"{place}.{key}")
                    continue
            else:
                inner, target = about, values[key]
            if isinstance(target, dict):
                yield from missing_keys(inner, target, definitions, f"{place}.{key}")


def test_the_examples_in_the_shipped_file_are_a_good_configuration() -> None:
    config = load_text(with_examples(), "gatewatch.yaml", {})
    camera = config.cameras["gate-north"]
    assert [rule.kind for rule in camera.rules] == ["illegal_parking", "crowding", "possible_bullying"]
    assert config.data == Path("/var/lib/gatewatch")
    assert camera.fps == 5.0


def test_the_worked_example_is_good() -> None:
    text = (ROOT / "configs/gate-north.yaml").read_text("utf-8")
    config = load_text(text, "gate-north.yaml", ENVIRON)
    assert config.cameras["gate-north"].main.url.startswith("rtsp://guard:x@192.0.2.10:554/")
    assert len(config.cameras["gate-north"].rules) == 4


@pytest.mark.parametrize("path", SHIPPED, ids=[path.name for path in SHIPPED])
@pytest.mark.parametrize("environ", [ENVIRON, None], ids=["replaced", "as written"])
def test_shipped_files_are_valid_in_an_editor(path: Path, environ: dict[str, str] | None) -> None:
    text = path.read_text("utf-8")
    if environ is None:
        # An editor sees ${NAME} itself.
        text, environ = text.replace("${", "$${"), {}
    jsonschema.validate(parse(text, environ).values, editor_schema(), jsonschema.Draft202012Validator)


def test_the_examples_are_valid_in_an_editor() -> None:
    jsonschema.validate(parse(with_examples(), {}).values, editor_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "text",
    [
        "sites: {name: x}",
        "site: {name: 5}",
        "site: {language: fr}",
        "recording: {keep: 30 days}",
        "cameras: {Gate: {main: {url: x}}}",
        "cameras: {gate: {main: {url: x}, rules: [{kind: parking, zone: z}]}}",
        "cameras: {gate: {main: {url: x}, zones: {z: {polygon: [[0, 0], [1, 1]]}}}}",
        "worker: {metrics: {port: many}}",
    ],
)
def test_an_editor_marks_what_is_wrong(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(parse(text, {}).values, editor_schema(), jsonschema.Draft202012Validator)


def test_an_editor_takes_a_variable_where_a_number_belongs_and_knows_written_defaults() -> None:
    schema = editor_schema()
    values = parse("worker:\n  metrics:\n    port: $${PORT:-9464}\nrecording: {keep: 30d}", {}).values
    jsonschema.validate(values, schema, jsonschema.Draft202012Validator)
    assert schema["$defs"]["CrowdingRule"]["properties"]["for"]["default"] == "30s"
    assert schema["$defs"]["Recording"]["properties"]["reserve_free"]["default"] == "50GiB"


def test_the_page_of_reference_is_that_of_the_schema() -> None:
    """Mend with: gatewatch config schema --as markdown > docs/configuration.md"""
    assert (ROOT / "docs/configuration.md").read_text("utf-8") == markdown()


def test_the_profiles_that_can_be_named_are_those_that_there_are() -> None:
    assert set(BUILT_IN_PROFILES) == set(PROFILES)
