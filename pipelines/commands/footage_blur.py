"""The site's detector as the recorder's exports want it: a function from a picture to what must be hidden."""

from __future__ import annotations

from typing import Final

from pipelines.config.schema import Config
from pipelines.detector import boxes_to_hide, load_detector
from pipelines.errors import Unavailable
from pipelines.recording.blur import Box, Finder, Pixels
from vision.detection import DetectorError

#: Hiding one too many costs nothing: lower than for incidents.
_CONFIDENCE: Final = 0.15


def finder(config: Config) -> tuple[Finder, str]:
    """The function, and the name of the model behind it. Raises BadInput: the model is not there."""
    eager = config.detector.model_copy(update={"confidence": min(_CONFIDENCE, config.detector.confidence)})
    detector = load_detector(config.model_copy(update={"detector": eager}))

    def find(picture: Pixels) -> list[Box]:
        try:
            (seen,) = detector.detect([picture])
        except DetectorError as error:
            raise Unavailable(f"a picture could not be looked at, so nothing is exported: {error}") from error
        return boxes_to_hide(seen)

    return find, detector.name
