"""The heads that come with Gatewatch, and what of a damaged, foreign or forged one is said: one sentence, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import aggression
from pipelines.crowding import loading
from pipelines.errors import BadInput
from vision.aggression import wanted_by
from vision.aggression_head import Head
from vision.change import PICTURES
from vision.crowd_head import CrowdHead
from vision.detection import DetectorError, Float32Array
from vision.frame import Pixels

SHIPPED = Path(__file__).resolve().parents[1] / "models"
KINDS = {"bullying": aggression.HEAD, "crowding": loading.HEAD}


class Reader:
    """Says as many numbers of a picture as the shipped head judges."""

    numbers = 608

    def read(self, pictures: Pixels) -> Float32Array:
        return np.zeros((PICTURES, self.numbers), np.float32)


def load(kind: str, site: Path) -> Head | CrowdHead:
    return aggression.load_head(site, Reader()) if kind == "bullying" else loading.load_head(site)


@pytest.fixture(scope="module", params=sorted(KINDS))
def shipped(request: pytest.FixtureRequest) -> tuple[str, bytes, dict[str, Any]]:
    path = SHIPPED / KINDS[request.param]
    with np.load(path) as held:
        return request.param, path.read_bytes(), {name: held[name] for name in held.files}


def installed(site: Path, kind: str) -> Path:
    path = site / "models" / KINDS[kind]
    path.parent.mkdir(parents=True)
    return path


def test_the_shipped_head_is_loaded(shipped: tuple[str, bytes, dict[str, Any]], tmp_path: Path) -> None:
    kind, raw, arrays = shipped
    installed(tmp_path, kind).write_bytes(raw)
    head = load(kind, tmp_path)
    assert head.trained_on == tuple(arrays["trained_on"])
    assert np.array_equal(head.mean, arrays["mean"])
    if isinstance(head, Head):
        assert len(head.mean) == wanted_by(Reader())


def with_(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda arrays: {
        **arrays,
        **{name: change(arrays[name]) for name, change in changes.items()},
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_(mean=lambda a: np.where(np.arange(len(a)) == 3, np.nan, a)), "mean holds a value that is no number"),
        (with_(mean=lambda a: a.astype(complex)), "mean holds complex128"),
        (with_(mean=lambda a: a.astype(str)), "mean holds <U"),
        (with_(mean=lambda _: np.array([{"run": "this"}])), "ValueError"),  # a pickle, which is not opened
        (with_(mean=lambda _: np.float32(1)), "mean has the shape"),
        (with_(mean=lambda a: a[:0], scale=lambda a: a[:0]), "mean has the shape"),
        (with_(scale=lambda a: a[:-1]), "scale has the shape"),
        (with_(scale=np.zeros_like), "scale holds a value that is 0 or less"),
        (with_(trained_on=lambda _: np.array("all")), "trained_on is no list of names"),
        (lambda arrays: {name: array for name, array in arrays.items() if name != "scale"}, "KeyError"),
    ],
)
def test_a_head_that_cannot_be_computed_with_is_refused_when_it_is_loaded(
    shipped: tuple[str, bytes, dict[str, Any]],
    change: Callable[[dict[str, Any]], dict[str, Any]],
    said: str,
    tmp_path: Path,
) -> None:
    """Else it would fail, or say nonsense, at the first window or the first crowd of a busy noon."""
    kind, _, arrays = shipped
    np.savez(installed(tmp_path, kind), **change(arrays))
    with pytest.raises(BadInput, match=rf"is no head of .*{said}.*train it anew"):
        load(kind, tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        ("bullying", "projection", lambda a: a[:, :-1]),
        ("bullying", "support", lambda a: a[:, :-1]),
        ("bullying", "weights", lambda a: a[:-1]),
        ("bullying", "gamma", lambda a: a[None]),
        ("crowding", "inner", lambda a: a[:, :-1]),
        ("crowding", "outer", lambda a: a[:-1]),
        ("crowding", "tall_px", lambda a: a - a),
    ],
)
def test_layers_that_do_not_fit_each_other_are_refused(kind: str, name: str, wrong: Any, tmp_path: Path) -> None:
    with np.load(SHIPPED / KINDS[kind]) as held:
        arrays = {each: held[each] for each in held.files}
    np.savez(installed(tmp_path, kind), **{**arrays, name: wrong(arrays[name])})
    with pytest.raises(BadInput, match="is no head of"):
        load(kind, tmp_path)


def test_a_crowds_head_for_another_network_is_no_crash_of_the_worker(tmp_path: Path) -> None:
    """The network is loaded at the first crowd only, so that the two do not fit is known then: as a failure of the network, after
    which boxes go on counting.
    """
    with np.load(SHIPPED / loading.HEAD) as held:
        arrays: dict[str, Any] = {name: held[name] for name in held.files}
    few = {name: arrays[name][:5] for name in ("mean", "scale", "inner")}
    np.savez(installed(tmp_path, "crowding"), **{**arrays, **few})
    head = loading.load_head(tmp_path)
    with pytest.raises(DetectorError, match="it judges 5 channels, and there are 192"):
        head.heads(np.zeros((4, 4, 192), np.float32))


def test_a_head_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    """numpy adds .npz to a name without it: after an hour of training nothing was where it should be."""
    heads: tuple[Head | CrowdHead, ...] = (CrowdHead.load(SHIPPED / loading.HEAD), Head.load(SHIPPED / aggression.HEAD))
    for head in heads:
        head.save(tmp_path / "mine")
        assert type(head).load(tmp_path / "mine").trained_on == head.trained_on
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]
