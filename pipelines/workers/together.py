"""Several cameras' pictures are judged together, stage by stage: what one stage works with is still in the processor's caches for
the next picture, and the clocks are read once for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.stages import Laps
from pipelines.workers.looking import Task
from vision.detection import Detections
from vision.step import Step


def judge(seen: Sequence[tuple[Task, Sequence[Detections]]], laps: Laps) -> list[Step]:
    """The step of each task, given what was found in its parts; one of a camera at most."""
    count = len(seen)
    laps.begin()
    merged = [task.camera.merge(task.frame, task.look, found) for task, found in seen]
    laps.end("gate", count)
    tasks = [task for task, _ in seen]
    tracked = [task.camera.track(task.frame, one) for task, one in zip(tasks, merged, strict=True)]
    laps.end("track", count)
    steps: list[Step] = []
    try:
        for task, one in zip(tasks, tracked, strict=True):
            steps.append(task.camera.judge(task.frame, one))
        laps.end("rules", count)
        if any(task.camera.keeps_tracks for task in tasks):
            for task, step in zip(tasks, steps, strict=True):
                task.camera.keep(task.frame, step)
            laps.end("keep", count)
    finally:
        # Whoever fails: what others were judged by is saved when the worker ends, and a case that was not told by then never is.
        _tell(zip(tasks, steps, strict=False))
    laps.end("publish", count)
    return steps


def _tell(judged: Iterator[tuple[Task, Step]]) -> None:
    try:
        for task, step in judged:
            task.camera.tell(task.frame, step)
    except BaseException:
        _tell(judged)  # those behind it
        raise
