"""Draws what the engine sees onto a picture: zones, tracks, running cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np

from pipelines.wording import word
from vision import coco
from vision.frame import Pixels
from vision.incident import Incident, Phase
from vision.track import Track, TrackState
from vision.zone import Zone

Colour = tuple[int, int, int]
_ZONE: Final[Colour] = (200, 160, 60)
_PERSON: Final[Colour] = (120, 200, 80)
_VEHICLE: Final[Colour] = (80, 170, 240)
_ALARM: Final[Colour] = (60, 60, 235)
_TEXT: Final[Colour] = (245, 245, 245)
_PANEL_SIZE_PX: Final = 15


def draw_scene(
    pixels: Pixels,
    zones: Mapping[str, Zone],
    tracks: Sequence[Track],
    open_incidents: Sequence[Incident],
    time_s: float,
    clock: str,
) -> Pixels:
    """A copy of `pixels` (H, W, 3) uint8 BGR with zones, boxes of confirmed tracks, open incidents and `clock`."""
    picture = pixels.copy()
    alarmed = {incident.zone_id for incident in open_incidents if incident.phase != Phase.CLOSED}
    for zone in zones.values():
        _draw_zone(picture, zone, zone.zone_id in alarmed)
    for track in tracks:
        if track.state == TrackState.CONFIRMED:
            colour = _PERSON if track.class_id == coco.PERSON else _VEHICLE
            x1, y1, x2, y2 = (round(float(value)) for value in track.xyxy_px)
            cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 1, cv2.LINE_AA)
            label(picture, f"{coco.NAMES.get(track.class_id, '?')} {track.track_id}", (x1, y1 - 3), colour, 12)
    height, width = picture.shape[:2]
    for incident in open_incidents:
        if incident.box_norm is not None:
            left, top, right, bottom = incident.box_norm
            corner = (round(left * width), round(top * height))
            cv2.rectangle(picture, corner, (round(right * width), round(bottom * height)), _ALARM, 2)
    _draw_panel(picture, [clock, *(describe(incident, time_s) for incident in open_incidents)])
    return picture


def describe(incident: Incident, time_s: float) -> str:
    """One line for people: `illegal parking, kerb: opened, 31 s`."""
    words = word("en", f"kind.{incident.kind}")
    return (
        f"{words}, {incident.zone_id}: {word('en', f'phase.{incident.phase}')}, {time_s - incident.first_seen_s:.0f} s"
    )


def _draw_panel(picture: Pixels, lines: Sequence[str]) -> None:
    """Lines of text on a darkened ground at the top left."""
    face = cv2.FontFace("uni")
    widest = max(cv2.getTextSize((0, 0), line, (0, 0), face, _PANEL_SIZE_PX, 400)[2] for line in lines)
    right, bottom = min(picture.shape[1], widest + 20), min(picture.shape[0], 22 * len(lines) + 10)
    picture[:bottom, :right] //= 3
    for number, line in enumerate(lines):
        cv2.putText(picture, line, (10, 22 * (number + 1)), _TEXT, face, _PANEL_SIZE_PX, 400)


def label(picture: Pixels, text: str, origin: tuple[int, int], colour: Colour, size_px: int) -> None:
    """Text with a dark edge, Chinese included, drawn onto `picture` at its baseline's left end."""
    face = cv2.FontFace("uni")
    cv2.putText(picture, text, (origin[0] + 1, origin[1] + 1), (0, 0, 0), face, size_px, 600)
    cv2.putText(picture, text, origin, colour, face, size_px, 500)


def _draw_zone(picture: Pixels, zone: Zone, alarmed: bool) -> None:
    height, width = picture.shape[:2]
    corners = np.array([(x * width, y * height) for x, y in zone.polygon_norm]).round().astype(np.int32)
    colour = _ALARM if alarmed else _ZONE
    tinted = picture.copy()
    cv2.fillPoly(tinted, [corners], colour)
    cv2.addWeighted(tinted, 0.15, picture, 0.85, 0, dst=picture)
    cv2.polylines(picture, [corners], True, colour, 1, cv2.LINE_AA)
    left, top = corners.min(axis=0)
    label(picture, zone.zone_id, (int(left) + 4, int(top) + 16), colour, 13)
