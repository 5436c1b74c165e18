"""Evidence at full size: beside each picture of an incident, which is the analysed stream's, the same moment as the recorder
has it of the main stream. Made when the segment is closed, once, by the janitor; the first picture stays as it is.

Kept is `ROLE.main.jpg` with its JSON beside it, before the record says so: a crash in between costs nothing, the file is
found again. What cannot be had is said in the record, with one word for why.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import cv2

from pipelines.clock import Clock
from pipelines.config.schema import Config
from pipelines.errors import GatewatchError, Unavailable
from pipelines.events.envelope import ANALYSED
from pipelines.evidence.boxes import moved, to_hide
from pipelines.files import inside, json_object, write_atomically
from pipelines.logs import fields
from pipelines.media.hiding import boxes_to_json
from pipelines.recording.stills import NoStill, Still
from pipelines.store.stills import with_stills
from pipelines.workers.pictures import CLOSE_UP, Place, close_up, jpeg_of, large_enough, stamp
from vision.frame import Frame
from vision.incident import PictureRequest

MAIN: Final = "recorded main stream"
#: Bounded work in one turn: pictures cut (each is decoded from the key frame before it), and pictures asked for.
_CUTS: Final = 3
_ASKED: Final = 60
#: A recorder that starts with the others has its volume by then.
_ELSEWHERE_S: Final = 120.0
#: The message of a picture that took an earlier one's place has come by then.
_REPLACED_S: Final = 3600.0
#: A gap may be filled by what a recorder takes in that was killed: looked at again this often, while it is so young, and for
#: so long after this process began.
_AGAIN_S: Final = 60.0
_YOUNG_S: Final = 3600.0
_BEGUN_S: Final = 600.0
#: What a disk or the store refused is tried again after so long: the others have their turns until then.
_REFUSED_S: Final = 300.0
#: A decoder that took the process with it so often is not tried again.
_TRIES: Final = 3
#: Two streams of this much other shape do not show the same: places on one are not places on the other.
_SHAPE: Final = 0.02


class RecordedStills(Protocol):
    """`pipelines.recording.footage.Footage`."""

    def still(self, camera: str, at_s: float, decoding: Callable[[], object]) -> Still: ...


class _Missing(GatewatchError):
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class _Picture(NamedTuple):
    """A picture as the record has it, and where it lies."""

    row: Mapping[str, Any]
    record: Mapping[str, Any]
    path: Path

    @property
    def key(self) -> tuple[str, str]:
        return str(self.row["incident_id"]), str(self.record["role"])

    @property
    def main(self) -> Path:
        return self.path.with_name(f"{self.path.stem}.main.jpg")


class MainStills:
    """`folder` is the pictures'; `put(incident_id, still)` keeps one in the record, and may raise Unavailable."""

    def __init__(
        self,
        folder: Path,
        config: Config,
        put: Callable[[str, Mapping[str, Any]], None],
        clock: Clock,
        log: logging.Logger,
    ) -> None:
        self._folder = folder.resolve()
        self._config = config
        self._put = put
        self._clock = clock
        self._log = log
        self._began_s: float | None = None
        self._not_before_s: dict[tuple[str, str], float] = {}  # by incident and role

    def run_once(self, footage: RecordedStills | None, rows: Iterable[Mapping[str, Any]]) -> int:
        """Cut what can be cut now for these rows of the record, newest first, a few of them; returns how many.

        `footage` None: there are no recordings on this machine. Raises Unavailable: the record is away.
        """
        cuts = 0
        now_s = self._clock.monotonic_s()
        self._began_s = now_s if self._began_s is None else self._began_s
        self._not_before_s = {key: at_s for key, at_s in self._not_before_s.items() if at_s > now_s}
        for picture in islice(self._due(rows, footage), _ASKED):
            if cuts >= _CUTS:
                break
            try:
                still = self._found(picture, footage)
                if still is not None:
                    about = {"role": picture.record["role"], "of": picture.record["sha256"]}
                    self._put(picture.row["incident_id"], {**still, **about})
                    cuts += "missing" not in still
            except Unavailable:
                raise
            except (OSError, GatewatchError) as error:
                self._say(picture, f"a picture of the main stream was not kept: {error}")
                self._not_before_s[picture.key] = self._clock.monotonic_s() + _REFUSED_S
                break  # on a full disk the rest is no use either
        return cuts

    def _found(self, picture: _Picture, footage: RecordedStills | None) -> dict[str, Any] | None:
        """What is to be said of a picture; None: nothing new, or nothing yet."""
        try:
            return self._known(picture) or self._cut(picture, footage)
        except Unavailable:
            return None  # its segment is not closed yet
        except (LookupError, TypeError, ValueError, ArithmeticError, cv2.error) as error:
            # Whatever came over the bus or lies beside the picture must not stop the others, nor be tried for ever.
            self._say(picture, "a picture's record cannot be read", reason=type(error).__name__)
            return {"missing": "unreadable", "detail": f"{type(error).__name__}: {error}"[:200]}
        except (_Missing, NoStill) as error:
            still = {"missing": error.reason, "detail": error.detail}
            if still.items() <= (picture.record["main"] or {}).items():
                return None  # it has been said
            self._say(picture, "no picture of the main stream", reason=error.reason, detail=error.detail)
            return still

    def _say(self, picture: _Picture, what: str, **more: object) -> None:
        about = {"incident": picture.row["incident_id"], "role": picture.record["role"]}
        self._log.warning(what, extra=fields(camera=picture.row["camera"], **about, **more))

    def _due(self, rows: Iterable[Mapping[str, Any]], footage: RecordedStills | None) -> Iterable[_Picture]:
        for row in rows:
            # A role has one picture: of two that say they are, the later one.
            for record in {str(one.get("role")): one for one in with_stills(row)}.values():
                told = record.get("source") == ANALYSED and record.get("sha256") and record.get("role")
                if told and self._open(row, record, footage) and (path := self._path(row, record)) is not None:
                    yield _Picture(row, record, path)

    def _path(self, row: Mapping[str, Any], record: Mapping[str, Any]) -> Path | None:
        """Where the worker put it (DAY/INCIDENT/ROLE.jpg); None: the record, which came over the bus, says another place."""
        path = inside(self._folder, record.get("path"))
        return path if path is not None and path.parent.name == row["incident_id"] else None

    def _open(self, row: Mapping[str, Any], record: Mapping[str, Any], footage: RecordedStills | None) -> bool:
        """Whether there is, or may yet be, something to cut now."""
        missing = None if record["main"] is None else record["main"].get("missing", "")
        if missing not in (None, "gap", "elsewhere") or (missing == "elsewhere" and footage is None):
            return False  # `elsewhere` is a volume that was not mounted
        key, now_s = (str(row["incident_id"]), str(record["role"])), self._clock.monotonic_s()
        if now_s < self._not_before_s.get(key, now_s):
            return False
        try:
            age_s = self._clock.now_s() - _moment_s(record)
        except (ValueError, ArithmeticError):
            return True  # which is said
        if age_s < 0.0:
            return False  # of a host whose clock was wrong: nothing is recorded then
        if missing == "gap":
            if age_s >= _YOUNG_S and now_s >= (self._began_s or 0.0) + _BEGUN_S:
                return False
            self._not_before_s[key] = now_s + _AGAIN_S
        return True

    def _known(self, picture: _Picture) -> dict[str, Any] | None:
        """What a process before this one cut, and could not say any more."""
        beside = json_object(picture.main.with_suffix(".json"))
        if beside.get("of") != picture.record["sha256"] or "sha256" not in beside:
            return None
        try:
            whole = hashlib.sha256(picture.main.read_bytes()).hexdigest() == beside["sha256"]
        except OSError:
            return None
        return _told(beside) if whole else None

    def _cut(self, picture: _Picture, footage: RecordedStills | None) -> dict[str, Any]:
        at_s = _moment_s(picture.record)
        now_s = self._clock.now_s()
        if footage is None:
            if now_s < at_s + _ELSEWHERE_S:
                raise Unavailable("no recordings here yet")
            raise _Missing("elsewhere", "there are no recordings on this machine")
        if not picture.path.is_file():
            raise _Missing("picture_gone", "the picture is not there (any more)")
        analysed, beside = picture.path.read_bytes(), json_object(picture.path.with_suffix(".json"))
        if {beside.get("sha256"), hashlib.sha256(analysed).hexdigest()} != {picture.record["sha256"]}:
            if now_s < at_s + _REPLACED_S:
                raise Unavailable("a later picture is just taking its place")
            raise _Missing("picture_gone", "another picture lies in its place")
        try:
            still = footage.still(picture.row["camera"], at_s, lambda: self._trying(picture))
            return self._made(picture, analysed, beside, still, at_s)
        except Exception:
            if "tries" in json_object(note := picture.main.with_suffix(".json")):
                note.unlink(missing_ok=True)
            raise

    def _trying(self, picture: _Picture) -> None:
        """Note that a decoder is at work: the note stays when it takes the process with it."""
        if self._known(picture) is not None:
            raise Unavailable("another janitor has just cut it")
        note = picture.main.with_suffix(".json")
        said = json_object(note)
        tries = int(said.get("tries", 0)) if said.get("of") == picture.record["sha256"] else 0
        if tries >= _TRIES:
            raise _Missing("damaged", f"{tries} tries to decode it did not end")
        content = {"of": picture.record["sha256"], "tries": tries + 1}
        write_atomically(note, json.dumps(content).encode(), durable=False)

    def _made(
        self, picture: _Picture, analysed: bytes, beside: Mapping[str, Any], still: Still, at_s: float
    ) -> dict[str, Any]:
        """Write it beside the picture; returns its record."""
        row, role = picture.row, str(picture.record["role"])
        frame = Frame(row["camera"], "", still.at_ms / 1000, still.pixels)
        off_s = round(still.at_ms / 1000 - at_s, 3)
        size_px = beside.get("frame_px") or [beside["width"], beside["height"]]
        scale = frame.width_px / size_px[0]
        same_shape = abs(scale * size_px[1] / frame.height_px - 1) <= _SHAPE
        box = beside.get("box_norm") if same_shape else None
        boxes = (
            [moved(one, beside, frame, off_s) for one in beside["hide"]] if same_shape and "hide" in beside else None
        )
        cut: dict[str, Any] = {}
        shown = frame
        if role == CLOSE_UP:
            if not beside.get("box_norm"):
                raise _Missing("unreadable", "where it was cut out is not known: an older worker kept it")
            if box is None:
                raise _Missing("other_shape", f"{size_px[0]}x{size_px[1]} and {frame.width_px}x{frame.height_px}")
            shown, boxes, cut = close_up(frame, tuple(box), boxes)  # type: ignore[assignment]
            box = None
        # Where they do not show the same, places of people on one say nothing of the other: nobody may think that they do.
        hidden = None if boxes is None else to_hide(analysed, beside, shown.pixels, boxes)
        request = PictureRequest(row["incident_id"], row["kind"], row["zone"], role, at_s, box and tuple(box))
        content = jpeg_of(stamp(shown, request, self._place(row), "main"))
        record = {
            "role": role,
            "of": picture.record["sha256"],
            "camera": row["camera"],
            "path": picture.main.relative_to(self._folder).as_posix(),
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": MAIN,
            "width": shown.width_px,
            "height": shown.height_px,
            "evidence_size": large_enough(shown),
            "frame_px": [frame.width_px, frame.height_px],
            "scale": round(scale, 4),
            "same_shape": same_shape,
            "agrees": None if boxes is None else hidden is not None,
            "blurrable": hidden is not None,
            **cut,
            "clock": beside.get("clock"),
            "captured_at": frame.captured_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "off_s": off_s,
            "segment": {"path": still.segment.path, "sha256": still.segment.sha256},
        }
        write_atomically(picture.main, content, durable=True)
        kept = record if hidden is None else {**record, "hide": boxes_to_json(hidden)}
        write_atomically(picture.main.with_suffix(".json"), json.dumps(kept, ensure_ascii=False).encode())
        return record

    def _place(self, row: Mapping[str, Any]) -> Place:
        site = self._config.site
        name = str(row["camera_name"] or row["camera"])
        return Place(site.name, row["camera"], name, ZoneInfo(site.timezone), site.language)


def _moment_s(record: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(record.get("captured_at"))).timestamp()


def _told(beside: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in beside.items() if name != "hide"}
