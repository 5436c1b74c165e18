"""The compiled modules give what NumPy gives, to the bit."""

from __future__ import annotations

import importlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.testing import both_ways
from vision import geometry, native

#: Whole and half numbers too, so that edges touch and boxes are empty or inside out.
NUMBERS = st.one_of(st.floats(-2000, 2000), st.sampled_from([0.0, 1.0, 10.0, 10.5, float("nan")]))


def boxes(most: int = 8, dtype: type = np.float64) -> st.SearchStrategy[Any]:
    numbers = st.floats(-2000, 2000, width=32) if dtype is np.float32 else NUMBERS
    return st.integers(0, most).flatmap(lambda n: arrays.arrays(dtype, (n, 4), elements=numbers))


def both(name: str, work: Callable[[], Any]) -> None:
    """What `work` gives with the compiled module `name`, and without it."""
    compiled, plain = both_ways(work, name)
    assert type(compiled) is type(plain)
    np.testing.assert_array_equal(compiled, plain, strict=True)


def test_it_is_compiled_where_it_can_be() -> None:
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    if shutil.which("cc") is None or not headers.exists():
        pytest.skip("no C compiler, or no Python headers")
    wanted = {path.stem for path in Path(native.__file__).parent.glob("*.pyx")}
    assert set(native.modules()) == wanted
    assert all(native.modules().values()), "pip install -e . did not compile them"


def test_it_can_be_switched_off() -> None:
    code = "from vision import native; print(any(native.modules().values()))"
    run = [sys.executable, "-c", code]
    env = os.environ | {"GATEWATCH_NATIVE": "0"}
    assert subprocess.run(run, env=env, capture_output=True, text=True, check=True).stdout == "False\n"


@given(boxes(), boxes())
def test_overlaps(a: Any, b: Any) -> None:
    both("boxes", lambda: geometry.iou(a, b))
    both("boxes", lambda: geometry.intersections(a, b))
    both("boxes", lambda: geometry.overlap_of_smaller(a, b))


@given(boxes(), boxes(dtype=np.float32))
def test_single_precision_and_lists_are_taken_too(a: Any, b: Any) -> None:
    both("boxes", lambda: geometry.iou(a, b))
    both("boxes", lambda: geometry.iou(b, a.tolist()))
    both("boxes", lambda: geometry.areas(b[:, ::-1]))


@given(boxes())
def test_each_box(a: Any) -> None:
    both("boxes", lambda: geometry.areas(a))
    both("boxes", lambda: geometry.bottom_centres(a))


@given(boxes(), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=7))
def test_points_in_a_polygon(points: Any, polygon: list[tuple[float, float]]) -> None:
    both("boxes", lambda: geometry.points_in_polygon(points[:, :2], polygon))
    corners = np.array(polygon)
    both("boxes", lambda: geometry.points_in_polygon(corners, polygon))


def test_what_are_no_boxes_is_refused() -> None:
    with pytest.raises(ValueError):
        geometry.areas([1.0, 2.0, 3.0])


def test_what_was_compiled_of_other_sources_is_not_used_and_goes_before_it_is_compiled_anew(tmp_path: Path) -> None:
    script = tmp_path / "sources.py"
    shutil.copyfile(Path(native.__file__).with_name("sources.py"), script)
    for name in ("one.pyx", "two.pyx", "shared.pxd", "one.cpython-311.so", "two.cpython-311.so", "gone.cpython-311.so"):
        (tmp_path / name).write_text(name)
    sources = runpy.run_path(str(script))
    assert not sources["are_current"]()
    sources["end"]()
    assert sources["are_current"]()
    (tmp_path / "one.pyx").write_text("changed")
    assert not sources["are_current"]()
    sources["begin"]()
    assert [path.name for path in tmp_path.glob("*.so")] == ["two.cpython-311.so"]
    sources["end"]()
    (tmp_path / "shared.pxd").write_text("changed")
    assert not sources["are_current"]()
    for damaged in ("{", "[]", "null", "\x00"):
        (tmp_path / "compiled.json").write_text(damaged)
        assert not sources["are_current"]()
    for path in tmp_path.glob("*.pyx"):  # installed without sources: nothing to compare with
        path.unlink()
    assert sources["are_current"]()


def test_what_a_full_disk_cut_short_is_not_loaded_and_is_compiled_anew(tmp_path: Path) -> None:
    """Loading it ends the process with a bus error: no command of Gatewatch would start any more, and none could say why."""
    if native.boxes is None:
        pytest.skip("vision.native.boxes was not compiled")
    shutil.copytree(Path(native.__file__).parents[1], tmp_path / "vision")
    [compiled] = (tmp_path / "vision/native").glob("boxes.*.so")
    whole = compiled.read_bytes()
    sources = runpy.run_path(str(tmp_path / "vision/native/sources.py"))
    sources["end"]()
    code = "from vision import native; print(any(native.modules().values()))"
    for content, used in ((whole, True), (whole[: len(whole) // 2], False), (whole[:-1], False), (b"", False)):
        compiled.write_bytes(content)
        run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert run.stdout == f"{used}\n"
    sources["begin"]()
    assert not compiled.exists()
    assert len(list(tmp_path.glob("vision/native/*.so"))) == len(native.modules()) - 1


@pytest.mark.parametrize(
    ("name", "count", "written_in"),
    [
        ("looks", 4, ["looks"]),
        ("parking", 10, ["looks", "behaviours.parking_place", "behaviours.parking_sight"]),
        ("people", 5, ["coco", "behaviours.people"]),
        ("view", 3, ["sharpness"]),
    ],
)
def test_numbers_that_are_written_twice_are_the_same(name: str, count: int, written_in: list[str]) -> None:
    """The two ways would differ only where a number decides, which no drawn example need come to."""
    text = Path(native.__file__).with_name(f"{name}.pyx").read_text("utf-8")
    numbers = dict(re.findall(r"^(?:cdef double|   ) ([A-Z_]+) = ([-+.e0-9]+)$", text, re.MULTILINE))
    numbers.pop("LEVELS", None)  # of a byte
    assert len(numbers) == count
    known: dict[str, Any] = {}
    for module in written_in:
        known |= vars(importlib.import_module(f"vision.{module}"))
    for key, number in numbers.items():
        assert known.get(key, known.get(f"_{key}")) == float(number), key
