"""The scorer of interaction regions: a describer of pictures that `gatewatch models build` made, and the head that is shipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelines.errors import BadInput
from pipelines.models.installed import find_model
from pipelines.paths import model_dirs

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from vision.aggression import FeatureReader, RegionScorer
    from vision.aggression_head import Head
    from vision.detection import Float32Array
    from vision.frame import Pixels

#: What describes how a region changes.
DESCRIBER: Final = "efficientnet-lite0-features"
HEAD: Final = Path("bullying") / "head.npz"


def load_reader(data: Path) -> FeatureReader:
    """The describer. Raises BadInput when it is not on this machine, with what to run."""
    from vision.change import PICTURES, STACK_PX
    from vision.detectors.openvino_features import OpenVinoFeatures

    model, _ = find_model(DESCRIBER, model_dirs(data), "the possible-bullying score")
    try:
        return OpenVinoFeatures(model, STACK_PX, PICTURES)
    except ValueError as error:
        raise BadInput(f"{error}; run `gatewatch models build`") from error


def load_head(data: Path, reader: FeatureReader) -> Head:
    """The site's own head if there is one, else the one that comes with Gatewatch.

    Raises:
        BadInput: there is none, or it judges something else than what `reader` says.
    """
    from vision.aggression import wanted_by
    from vision.aggression_head import Head

    for folder in (*model_dirs(data), Path(__file__).resolve().parents[1] / "models"):
        path = folder / HEAD
        if path.is_file():
            try:
                head = Head.load(path)
                if len(head.mean) != wanted_by(reader):
                    raise ValueError(
                        f"{path}: is a head of an earlier release: it judges {len(head.mean)} numbers of a window, and there are "
                        f"{wanted_by(reader)}"
                    )
                return head
            except ValueError as error:
                mend = "train it anew with `gatewatch train bullying --out FILE`, or remove it: another comes with Gatewatch"
                raise BadInput(f"{error}: {mend}") from error
    raise BadInput("the head of the aggression score is not on this machine: train one with `gatewatch train bullying`")


class CarefulScorer:
    """Scores regions until the network fails: then `warn` is told once, and nothing is scored any more. Situations are seen
    all the same; blows that cannot be judged must not silence the other rules and cameras.
    """

    def __init__(self, scorer: RegionScorer, warn: Callable[[str], None]) -> None:
        self._scorer = scorer
        self._warn = warn
        self._failed = False

    def embed(self, stack: Pixels) -> Float32Array | None:
        """As the scorer's, None once it failed."""
        from vision.detection import DetectorError

        if self._failed:
            return None
        try:
            return self._scorer.embed(stack)
        except DetectorError as error:
            self._failed = True
            self._warn(f"possible_bullying sees situations but no blows any more: {error}")
            return None

    def judge(self, window: Sequence[Float32Array]) -> float:
        return self._scorer.judge(window)


def load_scorer(config: Config, warn: Callable[[str], None]) -> RegionScorer | None:
    """What `Engine` takes as its scorer; None when no rule asks for it.

    When it cannot be loaded, `warn` is told why and what to do, and None comes back: the rule then sees situations only.
    """
    if not any(rule.kind == "possible_bullying" for camera in config.cameras.values() for rule in camera.rules):
        return None
    from vision.aggression import AggressionModel

    try:
        reader = load_reader(config.data)
        return CarefulScorer(AggressionModel(reader, load_head(config.data, reader)), warn)
    except BadInput as error:
        warn(f"possible_bullying sees situations but no blows: {error}")
        return None
