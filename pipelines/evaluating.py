"""Runs the detector and the engine over footage with truth, and scores them: what `gatewatch evaluate` prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

import cv2
import numpy as np

from pipelines.errors import BadInput
from pipelines.media.file import FileSource
from pipelines.paths import samples_dir
from vision.behaviours.people import counted_people, seen_people
from vision.camera import CameraSpec
from vision.engine import Engine
from vision.evaluation import bays
from vision.evaluation.boxes import Boxes, align, read_mot
from vision.evaluation.counting import score_counts
from vision.evaluation.mot import score_tracking
from vision.evaluation.tiles import detect_in_parts
from vision.geometry import FloatArray

if TYPE_CHECKING:
    from vision.detection import Detector
    from vision.scene import Scene
    from vision.track import Track

#: Where the truth of `vtest.avi` lies in the data folder.
_PEOPLE_TRUTH: Final = "pets09/gt_keyframes_1-266.txt"
#: On single pictures there is no time to confirm anything, so the detector must be this sure.
STILL_CONFIDENCE: Final = 0.15
#: An administrator draws every bay: the lists of PKLot leave out those at the ends of a row: (end bay, its neighbour).
_ROWS_GO_ON: Final = {"ufpr05": ((37, 38), (39, 38))}


def has_people(data: Path) -> bool:
    """Whether `data` holds a truth that people can be counted against."""
    return any(path.is_file() for path in _people_files(data))


def has_stills(data: Path) -> bool:
    """Whether `data` holds pictures in PKLot's layout."""
    return next(_stills(_lot(data)), None) is not None


def _people_files(data: Path) -> tuple[Path, Path]:
    return data / _PEOPLE_TRUTH, data / Path(_PEOPLE_TRUTH).name


def _truth_of_people(data: Path) -> dict[int, Boxes]:
    for path in _people_files(data):
        if path.is_file():
            try:
                with path.open(encoding="utf-8") as lines:
                    return read_mot(lines, str(path))
            except ValueError as error:
                raise BadInput(str(error)) from error
    raise BadInput(f"{data}: holds no {_PEOPLE_TRUTH}; name the folder with the truth with --data")


def _people(
    data: Path, video: Path | None, detector: Detector, people_of: Callable[[Scene], list[Track]]
) -> list[tuple[Boxes, Boxes]]:
    """Truth and what the engine finds, for each picture that has a truth. Every picture of the video is analysed."""
    truth = _truth_of_people(data)
    path = video or samples_dir() / "vtest.avi"
    if not path.is_file():
        raise BadInput(f"{path}: no such file; fetch it with `gatewatch samples pull` or name it with --video")
    engine = Engine(CameraSpec("evaluation", {}, ()))
    found: dict[int, Boxes] = {}
    for number, frame in enumerate(FileSource(str(path), "evaluation"), 1):
        if number > max(truth):
            break
        scene = engine.step(frame, detector.detect([frame.pixels])[0]).scene
        if number in truth and scene is not None:
            found[number] = _as_boxes(people_of(scene))
    if len(found) < len(truth):
        raise BadInput(f"{path}: ends before picture {max(truth)}, which the truth speaks of; is it another video?")
    return align(truth, found)


def _as_boxes(tracks: list[Track]) -> Boxes:
    return Boxes.of([track.track_id for track in tracks], [track.xyxy_px for track in tracks])


def crowding(data: Path, video: Path | None, detector: Detector) -> dict[str, Any]:
    """`mae, bias, recall, precision` of the people counted. Raises BadInput: no truth, no video, or not its video."""
    return {"detector": detector.name, **score_counts(_people(data, video, detector, counted_people)).as_dict()}


def tracking(data: Path, video: Path | None, detector: Detector) -> dict[str, Any]:
    """`hota, mota, idf1` of the people followed. Raises BadInput as `crowding` does."""
    return {"detector": detector.name, **score_tracking(_people(data, video, detector, seen_people)).as_dict()}


def parking(data: Path, detector: Detector) -> dict[str, Any]:
    """`precision, recall, pictures` of cars outside the bays, on a folder in PKLot's layout.

    Raises:
        BadInput: no pictures with masks and bays below `data`, or one of them cannot be read.
    """
    scores = [_still(picture, detector) for picture in _stills(_lot(data))]
    if not scores:
        raise BadInput(f"{data}: holds no */frames with masks and bounding_boxes beside them (PKLot's layout)")
    true, reported = sum(s.true for s in scores), sum(s.reported for s in scores)
    matched = sum(s.matched for s in scores)
    return {
        "detector": detector.name,
        "precision": round(matched / reported, 4) if reported else 1.0,
        "recall": round(matched / true, 4) if true else 1.0,
        "true": true,
        "reported": reported,
        "matched": matched,
        "pictures": [
            {
                "picture": s.name,
                "true": s.true,
                "reported": s.reported,
                "matched": s.matched,
                "precision": round(s.precision, 4),
                "recall": round(s.recall, 4),
            }
            for s in scores
        ],
    }


def _lot(data: Path) -> Path:
    return data / "pklot" if (data / "pklot").is_dir() else data


def _stills(root: Path) -> Iterator[Path]:
    for folder in sorted([root / "frames", *root.glob("*/frames")]):
        for picture in sorted(folder.glob("*")):
            if picture.suffix.lower() in (".png", ".jpg", ".jpeg") and _mask_of(picture) is not None:
                yield picture


def _mask_of(picture: Path) -> Path | None:
    folder = picture.parent.parent / "masks"
    return next(
        (path for path in (folder / f"{picture.stem}{end}" for end in (".png", ".bmp")) if path.is_file()), None
    )


def _still(picture: Path, detector: Detector) -> bays.PictureScore:
    mask_path = _mask_of(picture)
    pixels = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    mask = None if mask_path is None else cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
    if pixels is None or mask is None:
        raise BadInput(f"{picture if pixels is None else mask_path}: cannot be read as a picture")
    if mask.shape != pixels.shape[:2]:
        raise BadInput(
            f"{mask_path}: is {mask.shape[1]}x{mask.shape[0]}, its picture {pixels.shape[1]}x{pixels.shape[0]}"
        )
    drawn = drawn_bays(picture.parent.parent / "bounding_boxes" / f"{picture.stem}.xml")
    detections = detect_in_parts(detector, np.asarray(pixels, np.uint8), bays.VEHICLES)
    found = bays.places_outside(detections, drawn, (pixels.shape[1], pixels.shape[0]), STILL_CONFIDENCE)
    name = str(Path(picture.parent.parent.name) / picture.name)
    return bays.score_picture(name, bays.true_places(np.asarray(mask, np.uint8)), found)


def drawn_bays(path: Path) -> list[FloatArray]:
    """The bays' polygons of a picture; whether they are occupied is not read."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; each picture needs its bays")
    text = path.read_text(encoding="utf-8", errors="replace")
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise BadInput(f"{path}: declares entities, which a list of bays has no use for")
    try:
        root = ElementTree.fromstring(text)
        drawn = [
            np.array([(float(p.attrib["x"]), float(p.attrib["y"])) for p in space.iter() if p.tag.lower() == "point"])
            for space in root.iter("space")
        ]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise BadInput(f"{path}: is not a list of bays: {error}") from error
    drawn = [bay for bay in drawn if len(bay) >= 3]
    ends = [(a, b) for a, b in _ROWS_GO_ON.get(root.get("id", ""), ()) if max(a, b) < len(drawn)]
    return drawn + bays.rows_continued(drawn, ends)
