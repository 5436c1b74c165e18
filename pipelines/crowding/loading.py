"""What reads crowds at a gate: the detector's network as `gatewatch models build` made it, and the head that is shipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelines.errors import BadInput
from pipelines.models.installed import find_model
from pipelines.paths import model_dirs

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from vision.crowd import CrowdModel, CrowdReading, MapReader
    from vision.crowd_head import CrowdHead
    from vision.detection import Detector
    from vision.frame import Pixels
    from vision.geometry import FloatArray

#: Whose layers are read: in single precision, whichever model the detector itself runs.
NETWORK: Final = "yolov8n-fp32"
HEAD: Final = Path("crowding") / "head.npz"
INPUT_PX: Final = (384, 512)


def load_reader(data: Path) -> MapReader:
    """The network; it is read when it is first asked. Raises BadInput when it is not on this machine, with what to run."""
    from vision.detectors.openvino_maps import OpenVinoMaps

    model, _ = find_model(NETWORK, model_dirs(data), "counting in dense crowds")
    return OpenVinoMaps(model, INPUT_PX)


def watchful_detector(data: Path) -> Detector:
    """One that tells of people of whom it is not sure, too, at a larger input, on one thread. Raises BadInput."""
    from pipelines.config.schema import Config
    from pipelines.detector import load_detector

    wanted = {"model": NETWORK, "input": (640, 640), "confidence": 0.1, "mode": "latency", "threads": 1}
    config = Config(data=data)
    return load_detector(config.model_copy(update={"detector": config.detector.model_copy(update=wanted)}))


def load_head(data: Path) -> CrowdHead:
    """The site's own head if there is one, else the one that comes with Gatewatch. Raises BadInput: there is none."""
    from vision.crowd_head import CrowdHead

    for folder in (*model_dirs(data), Path(__file__).resolve().parents[2] / "models"):
        if (folder / HEAD).is_file():
            try:
                return CrowdHead.load(folder / HEAD)
            except ValueError as error:
                mend = "train it anew with `gatewatch train crowding --out FILE`, or remove it: another comes with Gatewatch"
                raise BadInput(f"{error}: {mend}") from error
    raise BadInput("the head that counts crowds is not on this machine: train one with `gatewatch train crowding`")


class Careful:
    """Reads crowds until the network fails: then `warn` is told once, and no crowd is read any more. Boxes go on counting,
    as a lower bound; a crowd that cannot be read must not silence the other rules and cameras.
    """

    def __init__(self, model: CrowdModel, warn: Callable[[str], None]) -> None:
        self._model: CrowdModel | None = model
        self._warn = warn

    def read(self, pixels: Pixels, boxes: FloatArray, horizon: FloatArray | None) -> CrowdReading | None:
        """As `CrowdModel.read`, None once it failed."""
        from vision.detection import DetectorError

        if self._model is None:
            return None
        try:
            return self._model.read(pixels, boxes, horizon)
        except DetectorError as error:
            self._model = None
            self._warn(f"dense crowds are not read any more, only who is seen is counted: {error}")
            return None


def load_model(data: Path) -> CrowdModel:
    """The network and the head. Raises BadInput: one is not on this machine, with what to run."""
    from vision.crowd import CrowdModel

    return CrowdModel(load_reader(data), load_head(data), INPUT_PX)


def load_crowds(config: Config, warn: Callable[[str], None]) -> Careful | None:
    """What `Engine` reads crowds with; None when no rule asks for it.

    When it cannot be loaded, `warn` is told why and what to do, and None comes back: the rule then counts only who is seen.
    """
    if not any(rule.kind == "crowding" for camera in config.cameras.values() for rule in camera.rules):
        return None
    return any_crowds(config, warn)


def any_crowds(config: Config, warn: Callable[[str], None]) -> Careful | None:
    """The same whether a rule asks for it or not."""
    try:
        return Careful(load_model(config.data), warn)
    except BadInput as error:
        warn(f"crowding counts only who is seen, too few in a dense crowd: {error}")
        return None
