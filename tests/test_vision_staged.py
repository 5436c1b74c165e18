"""The suite of staged scenes, with the real detector: a few of them here, all with `gatewatch evaluate staged`."""

from __future__ import annotations

import pytest

from pipelines.config.schema import Config
from pipelines.detector import load_detector
from pipelines.errors import GatewatchError
from pipelines.evaluating_staged import suite
from pipelines.paths import samples_dir
from pipelines.samples.library import staged_scenes


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("name", ["people in front", "restart"])
def test_staged_scenes_are_right(name: str) -> None:
    if not (samples_dir() / "vtest.avi").is_file():
        pytest.skip("vtest.avi is not here: gatewatch samples pull")
    try:
        detector = load_detector(Config())
    except GatewatchError as error:
        pytest.skip(str(error))
    [row] = suite([scene for scene in staged_scenes(lambda _: None) if scene.name == name], detector)
    assert row["right"], row
