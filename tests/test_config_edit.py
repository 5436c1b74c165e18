"""Changes to the file: only the lines of what changed, in the administrator's own style; and what must not be seen in a diff."""

from __future__ import annotations

import copy
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.config.differences import differences
from pipelines.config.document import parse
from pipelines.config.edit import Change, Drop, Put, Rename, edit
from pipelines.errors import BadInput

EXAMPLE = (Path(__file__).parents[1] / "configs" / "gate-north.yaml").read_text("utf-8")
NORTH = ("cameras", "gate-north")
SHAPE = [[0.1, 0.6], [0.9, 0.8], [0.1, 0.8]]
#: Another hand: four spaces, lists under their key, blocks, quotes, a list over several lines, an empty key, an alias.
BLOCKS = """\
# ours
cameras:
    a:  # the gate
        main: {url: "rtsp://u:${PW}@192.0.2.1/1"}
        zones:
            # the kerb
            kerb:
                polygon:
                    - [0.1, 0.2]   # left
                    - [0.30, 0.2]
                    - [0.3, 0.5]
            lawn:
                polygon: [
                    [0.1, 0.2], # one
                    [0.5, 0.6],
                    [0.7, 0.8] # three
                ]
        rules:
        - kind: crowding   # k
          zone: "kerb"
          people: 3
        # second
        - zone: lawn
          kind: illegal_parking
    b: {main: {url: y}, zones: { }}

    c:
        main: {url: z}
        masks:
    d: {zones: {one: &one {polygon: [[0.1, 0.2], [0.3, 0.2], [0.3, 0.5]]}, two: *one, three: {<<: *one}}}
site: {name: 'x'}
"""


def diff(before: str, *changes: Change) -> list[str]:
    after = edit(before, changes, {})
    lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_one_moved_point_changes_its_line_and_nothing_else() -> None:
    assert diff(EXAMPLE, Put((*NORTH, "zones", "kerb", "polygon", 1, 0), 0.95)) == [
        "-      kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8], [0.1, 0.8]]}",
        "+      kerb: {polygon: [[0.1, 0.6], [0.95, 0.6], [0.9, 0.8], [0.1, 0.8]]}",
    ]
    moved = [[0.1, 0.2], [0.35, 0.2], [0.3, 0.5]]
    assert diff(BLOCKS, Put(("cameras", "a", "zones", "kerb", "polygon"), moved)) == [
        "-                    - [0.30, 0.2]",
        "+                    - [0.35, 0.2]",
    ]
    moved = [[0.1, 0.2], [0.5, 0.6], [0.7, 0.85]]
    assert diff(BLOCKS, Put(("cameras", "a", "zones", "lawn", "polygon"), moved)) == [
        "-                    [0.7, 0.8] # three",
        "+                    [0.7, 0.85] # three",
    ]


@pytest.mark.parametrize("text", [EXAMPLE, BLOCKS])
def test_a_change_to_what_is_there_changes_no_byte(text: str) -> None:
    values = parse(text, {}).values["cameras"]
    camera = next(iter(values))
    puts = [Put(("cameras", camera, key), copy.deepcopy(value)) for key, value in values[camera].items()]
    assert edit(text, [one for one in puts if one.place[-1] in ("zones", "rules", "masks", "ground")], {}) == text


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        (EXAMPLE, [Put((*NORTH, "zones", "new"), {"polygon": SHAPE})],
         ["+      new: {polygon: [[0.1, 0.6], [0.9, 0.8], [0.1, 0.8]]}"]),
        (BLOCKS, [Put(("cameras", "a", "zones", "new"), {"polygon": SHAPE})],
         ["+            new:", "+                polygon: [[0.1, 0.6], [0.9, 0.8], [0.1, 0.8]]"]),
        (BLOCKS, [Put(("cameras", "a", "rules", 2), {"kind": "crowding", "zone": "lawn", "people": 4})],
         ["+        - kind: crowding", "+          zone: lawn", "+          people: 4"]),
        (BLOCKS, [Put(("cameras", "a", "zones", "kerb", "polygon"), [[0.1, 0.2], [0.2, 0.2], [0.3, 0.2], [0.3, 0.5]])],
         ["+                    - [0.2, 0.2]"]),
        (BLOCKS, [Put(("cameras", "a", "rules", 0, "zone"), "lawn")], ['-          zone: "kerb"', '+          zone: "lawn"']),
        (BLOCKS, [Drop(("cameras", "a", "zones", "kerb"))],
         ["-            kerb:", "-                polygon:", "-                    - [0.1, 0.2]   # left",
          "-                    - [0.30, 0.2]", "-                    - [0.3, 0.5]"]),
        (BLOCKS, [Drop(("cameras", "a", "rules", 1))], ["-        - zone: lawn", "-          kind: illegal_parking"]),
        (BLOCKS, [Drop(("cameras", "a", "rules", 1, "zone"))],
         ["-        - zone: lawn", "-          kind: illegal_parking", "+        - kind: illegal_parking"]),
        (BLOCKS, [Put(("cameras", "c", "masks", 0), SHAPE)],
         ["-        masks:", "+        masks: [[[0.1, 0.6], [0.9, 0.8], [0.1, 0.8]]]"]),
        (BLOCKS, [Put(("cameras", "b", "zones", "k"), {"polygon": SHAPE}),
                  Put(("cameras", "b", "rules", 0), {"kind": "crowding", "zone": "k"})],
         ["-    b: {main: {url: y}, zones: { }}",
          "+    b: {main: {url: y}, zones: {k: {polygon: [[0.1, 0.6], [0.9, 0.8], [0.1, 0.8]]} },"
          " rules: [{kind: crowding, zone: k}]}"]),
        (EXAMPLE, [Rename((*NORTH, "zones", "kerb"), "edge"), Put((*NORTH, "rules", 0, "zone"), "edge"),
                   Put((*NORTH, "rules", 0, "schedule"), "daily 06:30-18:00; sat,sun")],
         ["-      kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8], [0.1, 0.8]]}",
          "+      edge: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8], [0.1, 0.8]]}",
          "-      - {kind: illegal_parking, zone: kerb, warn_after: 30s, after: 3m, schedule: school_days 06:30-18:30}",
          '+      - {kind: illegal_parking, zone: edge, warn_after: 30s, after: 3m, schedule: "daily 06:30-18:00; sat,sun"}']),
    ],
)  # fmt: skip
def test_changes_in_the_file_s_own_style(text: str, changes: list[Change], expected: list[str]) -> None:
    found = diff(text, *changes)
    assert [line.replace("'", '"') for line in found] == [line.replace("'", '"') for line in expected]


def test_windows_line_ends_and_a_byte_order_mark_stay() -> None:
    text = "\ufeff" + BLOCKS.replace("\n", "\r\n")
    after = edit(text, [Put(("cameras", "a", "rules", 2), {"kind": "crowding", "zone": "lawn"})], {})
    assert after.startswith("\ufeff# ours\r\n")
    assert after.count("\n") == after.count("\r\n") == text.count("\n") + 2


def test_the_last_of_a_list_leaves_an_empty_one_and_the_comment_of_its_key() -> None:
    after = edit(EXAMPLE, [Drop((*NORTH, "ground", number)) for number in (3, 2, 1, 0)], {})
    assert "    ground: [] # measured with a tape on the paving\n    masks:" in after


def test_what_is_an_alias_is_not_changed_for_others_too() -> None:
    place = ("cameras", "d", "zones", "two", "polygon")
    with pytest.raises(BadInput, match=r"line 30: cameras\.d\.zones\.two\.polygon is written in a way"):
        edit(BLOCKS, [Put(place, SHAPE)], {})
    merged = edit(BLOCKS, [Put(("cameras", "d", "zones", "three", "polygon"), SHAPE)], {})
    assert "three: {<<: *one, polygon: [[0.1, 0.6], [0.9, 0.8], [0.1, 0.8]]}" in merged


POINTS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=6, unique=True)


@settings(
    max_examples=25, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(st.sampled_from(["kerb", "lawn"]), POINTS, st.integers(0, 2), st.booleans())
def test_whatever_is_wanted_is_what_is_read_and_nothing_else_changes(
    zone: str, points: list[tuple[int, int]], rules: int, drop: bool
) -> None:
    polygon = [[x / 20, y / 20] for x, y in points]
    changes: list[Change] = [Put(("cameras", "a", "zones", zone, "polygon"), polygon)]
    changes += [Put(("cameras", "a", "rules", 2 + n), {"kind": "crowding", "zone": zone}) for n in range(rules)]
    changes += [Drop(("cameras", "a", "zones", "lawn" if zone == "kerb" else "kerb"))] if drop else []
    after = edit(BLOCKS, changes, {"PW": "x"})
    wanted: Any = parse(BLOCKS, {"PW": "x"}).values
    wanted["cameras"]["a"]["zones"][zone]["polygon"] = polygon
    wanted["cameras"]["a"]["rules"] += [{"kind": "crowding", "zone": zone}] * rules
    if drop:
        del wanted["cameras"]["a"]["zones"]["lawn" if zone == "kerb" else "kerb"]
    assert parse(after, {"PW": "x"}).values == wanted
    for comment in ("# ours", "# the gate", "# the kerb", "# k\n", "# second"):
        assert after.count(comment) == 1
    tail = "    b: {main: {url: y}, zones: { }}"
    assert after[after.index(tail) :] == BLOCKS[BLOCKS.index(tail) :]


SECRET = """\
# token: tok-in-comment
cameras:
  a: {main: {url: "rtsp://admin:hunter2@192.0.2.10/1"}}   # was rtsp://admin:oldpass@192.0.2.9/1
  b: {main: {url: "rtsp://${USER}:${PW}@192.0.2.11/1"}}
channels:
  webhook:
    url: https://example.org/hook?key=abcd1234
    secret: topsecret1
    headers: {Authorization: Bearer qwerty99}
  email: {password: "${SMTP}", host: x}
  named:
    k:
      kind: apprise
      address: >-
        tgram://123456:abcdef/987
site: {name: old}
"""
LEAKS = ("hunter2", "oldpass", "tok-in-comment", "abcd1234", "topsecret1", "qwerty99", "123456", "abcdef")


def test_no_diff_shows_a_secret_and_context_shows_no_address() -> None:
    after = (
        SECRET.replace("name: old", "name: new")
        .replace("192.0.2.11", "192.0.2.12")
        .replace("topsecret1", "other-secret")
    )
    lines = differences(SECRET, after, ["tok-in-comment"])
    text = "\n".join(line.text for line in lines)
    assert not [leak for leak in (*LEAKS, "other-secret") if leak in text]
    assert [line.text for line in lines if line.kind == "gone"] == [
        '  b: {main: {url: "rtsp://${USER}:${PW}@192.0.2.11/1"}}',
        "    secret: ***",
        "site: {name: old}",
    ]
    assert "192.0.2.10" not in text
    assert 'email: {password: "${SMTP}", host: x}' in text
    numbers = [line.old for line in lines if line.old is not None]
    assert numbers == sorted(numbers)


def test_of_what_is_no_yaml_nothing_is_shown() -> None:
    broken = SECRET + "  oops: [\n"
    text = "\n".join(line.text for line in differences(SECRET, broken))
    text += "\n".join(line.text for line in differences("", broken))
    assert not [leak for leak in LEAKS if leak in text]
