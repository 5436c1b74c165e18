"""Every wrong configuration in tests/config_faults against the exact words that a person reads.

In those files `#` names a case, `>` is the YAML, and what follows is what `gatewatch config check` says, line by line.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from pipelines.config import load
from pipelines.config.document import MAX_BYTES
from pipelines.config.loader import load_text
from pipelines.errors import ConfigError

ENVIRON = {"EMPTY": "", "SECRET_URL": "http://guard:hunter2@192.0.2.10/0", "SECRET_WORD": "hunter2"}


class Case(NamedTuple):
    name: str
    text: str
    faults: list[str]


def read_cases() -> list[Case]:
    cases: list[Case] = []
    for file in sorted((Path(__file__).parent / "config_faults").glob("*.txt")):
        for line in file.read_text("utf-8").splitlines():
            if line.startswith("# "):
                cases.append(Case(f"{file.stem}: {line[2:]}", "", []))
            elif line.startswith("> "):
                cases[-1] = cases[-1]._replace(text=cases[-1].text + line[2:] + "\n")
            elif line:
                cases[-1].faults.append(line)
    return cases


CASES = read_cases()


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, "site.yaml", ENVIRON)
    return caught.value.faults


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_wrong_configuration_is_told_in_exactly_these_words(case: Case) -> None:
    assert faults_of(case.text) == [f"site.yaml:{fault}" for fault in case.faults]


def test_there_are_enough_cases_and_all_have_something_to_say() -> None:
    assert len(CASES) >= 70
    assert all(case.faults for case in CASES)
    assert not any("hunter2" in fault for case in CASES for fault in case.faults)


def test_faults_of_several_cases_are_found_in_one_run() -> None:
    sections = {
        "site": "site: {timezone: Mars/Base}\n",
        "camera": "cameras:\n  gate:\n    main: {url: 'ftp://x'}\n    zones: {z: {polygon: [[0, 0], [1, 1]]}}\n"
        "    rules: [{kind: crowding, zone: y}]\n",
        "recording": "recording: {kep: 3, keep: x}\n",
    }
    found = faults_of("".join(sections.values()))
    assert [fault.split(":")[1] for fault in found] == ["1", "4", "5", "6", "6", "7", "7"]
    alone = [fault for text in sections.values() for fault in faults_of(text)]
    assert len(alone) == len(found)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    for path, reason in ((missing, "there is no such file"), (tmp_path, "cannot be read: Is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.faults == [f"{path}: {reason}"]
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("site:\n  name: 北门小学\n".encode("gb18030"), ":2: not UTF-8 (byte 0xb1); save the file as UTF-8"),
        ("site:\n  name: North\n".encode("utf-16"), ":1: not UTF-8 (byte 0xff); save the file as UTF-8"),
        (b"site:\n  name: \x00\n", ":2: the character U+0000 is not allowed in YAML"),
        (b"#" * (MAX_BYTES + 1), ": larger than 1 MiB; is this a configuration?"),
    ],
    ids=["GB 18030", "UTF-16", "NUL", "huge"],
)
def test_files_that_are_no_text_are_told(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.faults == [f"{path}{fault}"]
