"""Painted scenes: a road, vehicles and people with known boxes, for testing rules without a detector.

The pictures have what the rules look at: texture that differs from vehicle to vehicle, noise, brightness. Detections
are the true boxes with the faults that real detectors have: jitter, misses, a wavering class and confidence.
Everything is drawn from one seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from vision import coco
from vision.detection import Detections, Float32Array
from vision.frame import Frame
from vision.geometry import Box, FloatArray


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that moves. `path`: (time_s, x, y) of its ground point in pixels, linear in between, there from the
    first to the last time. `size_px` (width, height). `looks` seeds its texture. Later actors are drawn over earlier
    ones. `seen_at`: share of pictures in which the detector sees it. `classes`: what the detector calls it, at random.
    """

    path: tuple[tuple[float, float, float], ...]
    size_px: tuple[float, float] = (90.0, 60.0)
    class_id: int = coco.CAR
    looks: int = 1
    confidence: float = 0.7
    seen_at: float = 1.0
    jitter: float = 0.01
    classes: tuple[int, ...] = ()

    def box(self, time_s: float) -> Box | None:
        """Its box at `time_s`, None when it is not there."""
        if not self.path[0][0] <= time_s <= self.path[-1][0]:
            return None
        times = [at for at, _, _ in self.path]
        x = float(np.interp(time_s, times, [x for _, x, _ in self.path]))
        y = float(np.interp(time_s, times, [y for _, _, y in self.path]))
        width, height = self.size_px
        return (x - width / 2, y - height, x + width / 2, y)


@dataclass(slots=True)
class Stage:
    """A camera over a painted road, drawn at `scale` of `size_px` (width, height), in which actors are described.

    `most_hidden`: share of a box that others may cover before it is not detected. `brightness`: gain from a time to
    another. `outages`: no pictures from a time to another. `epoch_s`: time of the first picture.
    """

    actors: list[Actor]
    size_px: tuple[int, int] = (640, 480)
    scale: float = 0.5
    fps: float = 5.0
    seed: int = 1
    most_hidden: float = 0.6
    brightness: dict[tuple[float, float], float] = field(default_factory=dict)
    outages: tuple[tuple[float, float], ...] = ()
    camera_id: str = "gate"
    epoch_s: float = 1_790_000_000.0

    def play(self, until_s: float, from_s: float = 0.0) -> Iterator[tuple[Frame, Detections]]:
        """Pictures and detections up to `until_s`."""
        background = self._background()
        noise = np.random.default_rng((self.seed, 10**8)).normal(0, 2.0, background.shape).astype(np.float32)
        textures = {actor.looks: self._texture(actor) for actor in self.actors}
        for number in range(int(until_s * self.fps) + 1):
            time_s = number / self.fps
            # Its own generator per picture: a run that begins in the middle sees the same as one from the start.
            random = np.random.default_rng((self.seed, number))
            if time_s < from_s or any(start <= time_s < end for start, end in self.outages):
                continue
            boxes = [self._scaled(actor.box(time_s)) for actor in self.actors]
            picture = background.copy()
            for actor, box in zip(self.actors, boxes, strict=True):
                if box is not None:
                    self._draw(picture, textures[actor.looks], box)
            light = next((gain for (start, end), gain in self.brightness.items() if start <= time_s < end), 1.0)
            # One sheet of noise, shifted by chance, is as good as a new one and far quicker.
            shifted = np.roll(noise, tuple(random.integers(0, 64, 2)), (0, 1))
            pixels = np.clip(picture * np.float32(light) + shifted, 0, 255).astype(np.uint8)
            yield (
                Frame(self.camera_id, "run", self.epoch_s + time_s, pixels),
                self._detect(boxes, random),
            )

    def _scaled(self, box: Box | None) -> Box | None:
        return (
            None
            if box is None
            else (box[0] * self.scale, box[1] * self.scale, box[2] * self.scale, box[3] * self.scale)
        )

    @property
    def _drawn_px(self) -> tuple[int, int]:
        return round(self.size_px[0] * self.scale), round(self.size_px[1] * self.scale)

    def _background(self) -> Float32Array:
        random = np.random.default_rng((self.seed, 10**6))
        width, height = self._drawn_px
        coarse = random.normal(110, 12, (height // 16, width // 16, 3)).astype(np.float32)
        fine = random.normal(0, 4, (height, width, 3))
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) + fine, np.float32)

    def _texture(self, actor: Actor) -> Float32Array:
        """Panels, windows and wheels by chance: what makes one vehicle differ from another."""
        random = np.random.default_rng((self.seed, 10**7, actor.looks))
        cells = random.uniform(20, 235, (5, 7, 1)) * random.uniform(0.6, 1.2, (1, 1, 3))
        return np.asarray(cv2.resize(cells.astype(np.float32), (160, 120), interpolation=cv2.INTER_LINEAR), np.float32)

    def _draw(self, picture: Float32Array, texture: Float32Array, box: Box) -> None:
        x1, y1, x2, y2 = (round(value) for value in box)
        left, top, right, bottom = max(0, x1), max(0, y1), min(picture.shape[1], x2), min(picture.shape[0], y2)
        if left < right and top < bottom:
            drawn = cv2.resize(texture, (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA)
            picture[top:bottom, left:right] = drawn[top - y1 : bottom - y1, left - x1 : right - x1]

    def _detect(self, boxes: list[Box | None], random: np.random.Generator) -> Detections:
        found: list[tuple[FloatArray, float, int]] = []
        for number, (actor, box) in enumerate(zip(self.actors, boxes, strict=True)):
            # Drawn for every actor in every picture, so that the luck of one does not hang on the others.
            luck, shake, grip, name = (
                random.random(),
                random.normal(0, actor.jitter, 4),
                random.normal(0, 0.03),
                random.random(),
            )
            if box is None or luck >= actor.seen_at:
                continue
            visible = self._visible(box, [other for other in boxes[number + 1 :] if other is not None])
            if visible is None:
                continue
            size = np.array([box[2] - box[0], box[3] - box[1]] * 2)
            shaken = np.asarray(visible) + shake * size
            choices = actor.classes or (actor.class_id,)
            found.append(
                (shaken, float(np.clip(actor.confidence + grip, 0.05, 0.99)), choices[int(name * len(choices))])
            )
        if not found:
            return Detections.empty()
        return Detections(
            np.array([box for box, _, _ in found], np.float32),
            np.array([confidence for _, confidence, _ in found], np.float32),
            np.array([class_id for _, _, class_id in found], np.int64),
        )

    def _visible(self, box: Box, nearer: list[Box]) -> Box | None:
        """The box around what nearer boxes leave in view, None when that is too little to detect."""
        columns, rows = max(2, round(box[2] - box[0])), max(2, round(box[3] - box[1]))
        x, y = box[0] + np.arange(columns) + 0.5, box[1] + np.arange(rows) + 0.5
        free = np.ones((rows, columns), bool)
        for other in nearer:
            free &= ~(((y >= other[1]) & (y < other[3]))[:, None] & ((x >= other[0]) & (x < other[2]))[None, :])
        free &= ((y >= 0) & (y < self._drawn_px[1]))[:, None] & ((x >= 0) & (x < self._drawn_px[0]))[None, :]
        if free.mean() < 1 - self.most_hidden:
            return None
        in_x, in_y = np.flatnonzero(free.any(axis=0)), np.flatnonzero(free.any(axis=1))
        return (float(x[in_x[0]] - 0.5), float(y[in_y[0]] - 0.5), float(x[in_x[-1]] + 0.5), float(y[in_y[-1]] + 0.5))
