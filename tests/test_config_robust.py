"""Whatever a file holds, the loader answers with a configuration or with faults that have a line; never a traceback."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config.explain import known_keys
from pipelines.config.loader import load_text, version_of
from pipelines.config.polygons import area, polygon_faults
from pipelines.errors import ConfigError

KEYS = [
    *("site", "calendar", "cameras", "recording", "schedules", "detector", "redis", "channels", "worker", "metrics"),
    *(
        "gate",
        "main",
        "sub",
        "url",
        "zones",
        "rules",
        "kind",
        "zone",
        "polygon",
        "ground",
        "picture",
        "metres",
        "masks",
    ),
    *("schedule", "except", "people", "density", "after", "warn_after", "terms", "holidays", "timezone", "port", "id"),
]
WORDS = [
    *("illegal_parking", "crowding", "possible_bullying", "kerb", "always", "daily 06:00-07:00", "school_days", "30s"),
    *("2026-09-01/2027-01-20", "rtsp://u:p@192.0.2.1/1", "${SET}", "${UNSET}", "$${x}", "Asia/Shanghai", "<<", "~", ""),
]
keys = st.sampled_from(KEYS) | st.text(max_size=5)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=12)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)
FAULT = re.compile(r"site\.yaml:[0-9]+: \S[^\n]*")


def faults_of(text: str) -> list[str]:
    try:
        config = load_text(text, "site.yaml", {"SET": "7"})
    except ConfigError as error:
        return error.faults or ["no fault in the error"]
    return [] if len(version_of(config)) == 12 else ["no version"]


def loads_or_tells(text: str) -> None:
    lines = len(re.split(r"[\n\r\x85\u2028\u2029]", text)) + 1
    for fault in faults_of(text):
        assert FAULT.fullmatch(fault), fault
        assert 1 <= int(fault.split(":")[1]) <= lines


@settings(max_examples=200, deadline=None)
@given(values=st.dictionaries(keys, trees, max_size=6), flow=st.sampled_from([None, True, False]))
def test_random_trees_never_give_a_traceback(values: dict[str, Any], flow: bool | None) -> None:
    loads_or_tells(yaml.safe_dump(values, allow_unicode=True, default_flow_style=flow))


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200) | st.text("{}[]:,-&*!|>'\"#%@`\n\t ab${}<0.", max_size=60))
def test_random_text_never_gives_a_traceback(text: str) -> None:
    loads_or_tells(text.encode("utf-8", "replace").decode())


camera = st.fixed_dictionaries(
    {"main": st.fixed_dictionaries({"url": st.sampled_from(["a.mp4", "rtsp://192.0.2.1/1", "${UNSET}"]) | leaves})},
    optional={
        "zones": st.dictionaries(st.sampled_from(["kerb", "yard", "a b"]), st.fixed_dictionaries({"polygon": trees})),
        "rules": st.lists(
            st.dictionaries(st.sampled_from(["kind", "zone", "after", "schedule", "id", "people"]), leaves), max_size=3
        ),
        "ground": st.lists(st.fixed_dictionaries({"picture": trees, "metres": trees}), max_size=5),
        "masks": trees,
        "fps": leaves,
    },
)


@settings(max_examples=200, deadline=None)
@given(cameras=st.dictionaries(st.sampled_from(["gate", "yard", "Gate"]), camera, max_size=2), schedules=trees)
def test_cameras_with_anything_in_them_never_give_a_traceback(cameras: dict[str, Any], schedules: Any) -> None:
    loads_or_tells(yaml.safe_dump({"cameras": cameras, "schedules": schedules}, allow_unicode=True))


shares = st.integers(0, 8).map(lambda value: value / 8)


@settings(max_examples=200, deadline=None)
@given(points=st.lists(st.tuples(shares, shares), min_size=3, max_size=7))
def test_polygons_are_judged_as_the_geometry_of_exact_fractions_does(points: list[tuple[float, float]]) -> None:
    """On a grid of eighths every product is exact: a polygon is simple when each two edges meet only where they must."""
    count = len(points)
    edges = [(points[index], points[(index + 1) % count]) for index in range(count)]
    simple = len(set(points)) == count
    for first in range(count):
        for second in range(first + 1, count):
            shared = set(edges[first]) & set(edges[second])
            meeting = common_points(edges[first], edges[second])
            simple = simple and meeting <= shared
    assert (not polygon_faults(points)) == (simple and area(points) > 0)


def common_points(
    one: tuple[tuple[float, float], tuple[float, float]], two: tuple[tuple[float, float], tuple[float, float]]
) -> set[tuple[float, float]]:
    """Points of two edges in common: the crossing, or the ends that lie on the other edge."""
    (ax, ay), (bx, by) = one
    (cx, cy), (dx, dy) = two
    across = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
    if across == 0:
        if (bx - ax) * (cy - ay) != (by - ay) * (cx - ax):
            return set()
        inside = {p for p in two if min(ax, bx) <= p[0] <= max(ax, bx) and min(ay, by) <= p[1] <= max(ay, by)}
        return inside | {p for p in one if min(cx, dx) <= p[0] <= max(cx, dx) and min(cy, dy) <= p[1] <= max(cy, dy)}
    along = (cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)
    other = (cx - ax) * (by - ay) - (cy - ay) * (bx - ax)
    if 0 <= along / across <= 1 and 0 <= other / across <= 1:
        if along in (0, across):
            return {one[0] if along == 0 else one[1]}
        if other in (0, across):
            return {two[0] if other == 0 else two[1]}
        return {(ax + along / across * (bx - ax), ay + along / across * (by - ay))}
    return set()


def test_known_keys_follow_the_schema_through_cameras_and_rules() -> None:
    values = {"cameras": {"gate": {"rules": [{"kind": "crowding"}], "ground": [{}]}}}
    assert "density" in known_keys(("cameras", "gate", "rules", 0), values)
    assert "warn_after" not in known_keys(("cameras", "gate", "rules", 0), values)
    assert known_keys(("cameras", "gate", "ground", 0), values) == ["picture", "metres"]
