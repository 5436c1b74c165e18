"""One camera's step: a picture and its detections in, incidents out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from vision.aggression import RegionScorer
from vision.behaviours import BEHAVIOURS, Behaviour, Outcome
from vision.camera import CameraSpec, RuleSpec
from vision.counted import not_masked, once
from vision.crowd_watch import CrowdReader
from vision.detection import Detections
from vision.frame import Frame
from vision.geometry import Box
from vision.health import CameraHealth
from vision.incident import Snapshot
from vision.looks import Looks
from vision.moment import Moment, PlacedLooks, Recollection
from vision.readings import Readings, follows
from vision.saved import finite
from vision.scene import Scene
from vision.status import RuleStatus
from vision.step import Step, Tracked
from vision.tracking import Tracker
from vision.view import ViewJudge, ViewState

__all__ = ["SNAPSHOT_VERSION", "Engine", "Step", "Tracked"]

SNAPSHOT_VERSION: Final = 1


class Engine:
    """Analyses one camera. Deterministic: the same pictures, detections and times give the same incidents.

    Open cases stay open when the pictures end; `snapshot` and `restore` carry them over a restart.
    """

    def __init__(
        self, camera: CameraSpec, scorer: RegionScorer | None = None, crowds: CrowdReader | None = None
    ) -> None:
        """`scorer` judges interaction regions, where a rule asks for it; without one, such a rule sees only situations. `crowds`
        counts people who hide each other; without it, a crowding rule counts those seen.

        Raises:
            ValueError: a rule names a kind or a zone that does not exist, or two rules have one id.
        """
        self._camera = camera
        self._readings = Readings(scorer, crowds)
        self._tracker = Tracker()
        self._judge = ViewJudge()
        self._view = ViewState.USABLE
        self._health = None if camera.health is None else CameraHealth(camera.camera_id, camera.health)
        self._recollection = Recollection()
        self._time_s: float | None = None
        self._counted: tuple[Detections, int, int, Detections] | None = None
        """Of which detections, in a picture of which width and height, which count. What was not looked at anew is the same."""
        self._behaviours: dict[str, Behaviour] = {}
        self._kinds: dict[str, tuple[str, str]] = {}
        for rule in camera.rules:
            self._add(rule)

    def equip(self, scorer: RegionScorer | None, crowds: CrowdReader | None) -> None:
        """As for `__init__`, later: what it has already stays."""
        self._readings.equip(scorer, crowds)

    @property
    def camera(self) -> CameraSpec:
        return self._camera

    @property
    def wanted_fps(self) -> float | None:
        """How many pictures a second `glance` (or `step`) wants now; None: those of `step` are enough."""
        return self._readings.wanted_fps

    def glance(self, frame: Frame) -> None:
        """A picture between two analysed ones: only interaction regions look at it; it costs nothing without one.

        Pictures must come in order of time, those of `step` included; one that is older than the last is passed over.
        """
        self._readings.glance(frame, self._time_s)

    def _add(self, rule: RuleSpec) -> None:
        if rule.kind not in BEHAVIOURS:
            raise ValueError(f"rule {rule.rule_id}: no behaviour {rule.kind!r}; there are {', '.join(BEHAVIOURS)}")
        if rule.zone_id not in self._camera.zones:
            raise ValueError(f"rule {rule.rule_id}: no zone {rule.zone_id!r} on camera {self._camera.camera_id}")
        if rule.rule_id in self._behaviours:
            raise ValueError(f"rule {rule.rule_id}: two rules of camera {self._camera.camera_id} have this id")
        self._behaviours[rule.rule_id] = BEHAVIOURS[rule.kind](self._camera.camera_id, rule)
        self._kinds[rule.rule_id] = (rule.kind, rule.zone_id)

    def step(self, frame: Frame, detections: Detections) -> Step:
        """Judge one picture with what the detector found in it: `track`, then `judge`.

        Raises:
            ValueError: the frame is another camera's, or its `time_s` is not later than the last one's.
        """
        return self.judge(frame, self.track(frame, detections))

    def track(self, frame: Frame, detections: Detections) -> Tracked:
        """The first half of `step`: detections that no mask hides, and the tracks that took them. Raises as `step`."""
        return self._track(frame.camera_id, frame.time_s, frame.width_px, frame.height_px, detections)

    def judge(self, frame: Frame, tracked: Tracked) -> Step:
        """The second half of `step`: what the rules make of the picture and its tracks, which `track` gave."""
        view = self._judge.judge(frame, frame.time_s, frame.small)
        moment = Moment(
            frame.camera_id,
            frame.time_s,
            frame.width_px,
            frame.height_px,
            tracked.detections,
            view=view,
            regions=self._readings.regions(frame, tracked.seen, self._camera),
            crowd=self._readings.crowd(frame, tracked.seen, self._camera) if view.usable else None,
            looks={key: PlacedLooks(box, Looks.measure(frame, box)) for key, box in self._places().items()},
        )
        return self._consider(moment, tracked, {key: placed.looks for key, placed in moment.looks.items()})

    def recall(self, moment: Moment) -> Step:
        """Judge again a moment that was kept: as `step`, without a picture. Under the rules that it was first judged by, and
        from the same state, the outcome is the same. Regions are those that were scored then.

        Raises:
            ValueError: as for `step`.
        """
        tracked = self._track(moment.camera_id, moment.time_s, moment.width_px, moment.height_px, moment.detections)
        regions = moment.regions if follows(self._camera, "possible_bullying", moment.time_s) else ()
        looks = self._recollection.looks(moment, self._places())
        return self._consider(replace(moment, regions=regions), tracked, looks)

    def _track(self, camera_id: str, time_s: float, width_px: int, height_px: int, detections: Detections) -> Tracked:
        if camera_id != self._camera.camera_id:
            raise ValueError(f"frame of camera {camera_id} given to the engine of {self._camera.camera_id}")
        if self._time_s is not None and time_s <= self._time_s:
            raise ValueError(f"camera {camera_id}: time_s must grow: {time_s} after {self._time_s}")
        known = self._counted
        if known is None or known[0] is not detections or known[1] != width_px or known[2] != height_px:
            seen = once(not_masked(detections, self._camera.masks, width_px, height_px))
            self._counted = known = detections, width_px, height_px, seen
        return Tracked(detections, known[3], self._tracker.update(known[3], time_s))

    def _consider(self, moment: Moment, tracked: Tracked, looks: dict[str, Looks]) -> Step:
        scene = Scene(
            camera_id=self._camera.camera_id,
            time_s=moment.time_s,
            gap_s=0.0 if self._time_s is None else moment.time_s - self._time_s,
            width_px=moment.width_px,
            height_px=moment.height_px,
            tracks=tracked.tracking.tracks,
            detections=tracked.seen,
            detection_track_id=tracked.tracking.detection_track_id,
            zones=self._camera.zones,
            ground=self._camera.ground,
            view=moment.view,
            regions=moment.regions,
            crowd=moment.crowd,
            looks=looks,
        )
        self._time_s, self._view = moment.time_s, moment.view.state
        outcome = Outcome()
        if self._health is not None:
            outcome.add(self._health.step(moment.view, moment.time_s))
        for behaviour in self._behaviours.values():
            outcome.add(behaviour.step(scene))
        return Step(tuple(outcome.incidents), tuple(outcome.pictures), scene, outcome.changed, moment)

    def silent(self, since_s: float, time_s: float) -> Step:
        """No picture has come since `since_s`, and it is `time_s` now: told of when it has lasted, closed by the next picture.
        The rules hear nothing of it: their time is that of pictures.
        """
        outcome = Outcome() if self._health is None else self._health.silent(since_s, time_s)
        return Step(tuple(outcome.incidents), (), None, outcome.changed)

    def _places(self) -> dict[str, Box]:
        places: dict[str, Box] = {}
        for behaviour in self._behaviours.values():
            places.update(behaviour.places())
        return places

    def reconfigure(self, camera: CameraSpec, time_s: float) -> Step:
        """Go on with another configuration from `time_s` on.

        Rules are the same when their id, kind and zone are; their running cases go on under the new parameters. Cases
        of rules that are gone are closed with the reason `configuration`.

        Raises:
            ValueError: as for `__init__`; the engine is unchanged then.
        """
        fresh = Engine(camera)  # judges the whole configuration before anything is touched
        if camera.camera_id != self._camera.camera_id:
            raise ValueError(
                f"configuration of camera {camera.camera_id} given to the engine of {self._camera.camera_id}"
            )
        outcome = Outcome()
        for rule_id, behaviour in self._behaviours.items():
            if fresh._kinds.get(rule_id) != self._kinds[rule_id]:
                outcome.add(behaviour.close(time_s, "configuration"))
        for rule in camera.rules:
            if self._kinds.get(rule.rule_id) == fresh._kinds[rule.rule_id]:
                kept = self._behaviours[rule.rule_id]
                kept.reconfigure(rule)
                fresh._behaviours[rule.rule_id] = kept
        if self._health is not None:
            if camera.health is None:
                outcome.add(self._health.close(time_s, "configuration"))
            else:
                outcome.add(self._health.reconfigure(camera.health, time_s))
                fresh._health = self._health
        if (camera.zones, camera.masks) != (self._camera.zones, self._camera.masks):
            self._judge.place_anew()  # who draws zones says that they fit what the camera sees
        self._health = fresh._health
        self._camera, self._behaviours, self._kinds = camera, fresh._behaviours, fresh._kinds
        self._counted = None
        return Step(tuple(outcome.incidents), tuple(outcome.pictures), None, outcome.changed)

    @property
    def has_cases(self) -> bool:
        """Whether any case runs."""
        return bool(self._health is not None and self._health.cases()) or any(
            behaviour.cases() for behaviour in self._behaviours.values()
        )

    def cases(self) -> frozenset[str]:
        """Incident ids of every case that runs. What was kept for another (a picture, say) will not be needed again."""
        faults: frozenset[str] = frozenset() if self._health is None else self._health.cases()
        return faults.union(*(behaviour.cases() for behaviour in self._behaviours.values()))

    def status(self) -> tuple[RuleStatus, ...]:
        """What the rules are watching since the last step, for a screen; changes nothing. While the view is not usable no rule
        claims to know anything: its state is `unknown`.
        """
        if self._time_s is None:
            return ()
        found = [one for behaviour in self._behaviours.values() for one in behaviour.status(self._time_s)]
        if self._view is not ViewState.USABLE:
            found = [one if one.state == "off" else replace(one, state="unknown") for one in found]
        return tuple(found)

    def finish(self) -> None:
        """The pictures end. Nothing closes: absence needs evidence."""

    def snapshot(self) -> Snapshot:
        """Everything that is known, as plain JSON values; pure."""
        return {
            "version": SNAPSHOT_VERSION,
            "camera_id": self._camera.camera_id,
            "time_s": self._time_s,
            "tracker": self._tracker.snapshot(),
            "view": self._judge.snapshot(),
            "view_state": self._view.value,
            "health": None if self._health is None else self._health.snapshot(),
            "rules": {
                rule_id: {
                    "kind": self._kinds[rule_id][0],
                    "zone_id": self._kinds[rule_id][1],
                    "state": behaviour.snapshot(),
                }
                for rule_id, behaviour in self._behaviours.items()
            },
        }

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot of this camera. Rules that no longer exist, or watch another zone, are passed over.

        Raises:
            ValueError: the snapshot is another camera's, of another version or damaged; the engine is unchanged then.
        """
        version, camera_id = snapshot.get("version"), snapshot.get("camera_id")
        if version != SNAPSHOT_VERSION:
            raise ValueError(f"snapshot of version {version!r}; this program reads {SNAPSHOT_VERSION}")
        if camera_id != self._camera.camera_id:
            raise ValueError(f"snapshot of camera {camera_id!r} given to the engine of {self._camera.camera_id}")
        fresh = Engine(self._camera)
        try:
            fresh._take(snapshot)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"snapshot of camera {camera_id} is damaged: {error!r}") from error
        self._time_s, self._tracker, self._judge = fresh._time_s, fresh._tracker, fresh._judge
        self._behaviours, self._health, self._view = fresh._behaviours, fresh._health, fresh._view

    def _take(self, snapshot: Snapshot) -> None:
        self._time_s = None if snapshot["time_s"] is None else finite(snapshot["time_s"])
        self._tracker.restore(snapshot["tracker"])
        self._judge.restore(snapshot["view"])
        self._view = ViewState(snapshot.get("view_state", "usable"))
        faults = snapshot.get("health")
        if self._health is not None and faults is not None:
            self._health.restore(faults)
        rules: dict[str, Any] = snapshot["rules"]
        for rule_id, behaviour in self._behaviours.items():
            saved = rules.get(rule_id)
            if saved is not None and (saved["kind"], saved["zone_id"]) == self._kinds[rule_id]:
                behaviour.restore(saved["state"])
