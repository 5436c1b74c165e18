"""Every key of the configuration, with its default and what it means. Unknown keys are refused everywhere.

The models hold what YAML can say; quantities such as `90s` or `20GiB` are plain numbers here (seconds, bytes). What
only makes sense with the whole file in view (unknown zones, crossing edges, calendars) is judged by `checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipelines.config.alerting import Alerts, RecipientModel, RecipientName, RouteModel, ShiftModel, StepModel
from pipelines.config.cameras import (
    BullyingRule,
    Camera,
    CrowdingRule,
    GroundPoint,
    ParkingRule,
    Rule,
    Section,
    Stream,
    ZoneModel,
)
from pipelines.config.channels import Channels, Webhook
from pipelines.config.console import Console
from pipelines.config.listen import Listen, Port
from pipelines.config.quantities import Seconds
from pipelines.config.recording import HeadChannelModel, Recording, RetentionModel
from pipelines.config.tracks import Tracks
from pipelines.paths import default_data_dir

__all__ = [
    "Alerts",
    "BullyingRule",
    "Calendar",
    "Camera",
    "Channels",
    "Config",
    "Console",
    "CrowdingRule",
    "Database",
    "DetectorModel",
    "Dispatcher",
    "GroundPoint",
    "HeadChannelModel",
    "Listen",
    "ParkingRule",
    "RecipientModel",
    "Recorder",
    "Recording",
    "Redis",
    "RetentionModel",
    "RouteModel",
    "Rule",
    "Section",
    "ShiftModel",
    "Site",
    "StepModel",
    "Stream",
    "Tracks",
    "Webhook",
    "Worker",
    "ZoneModel",
]

CameraId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
ScheduleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class Site(Section):
    """The school."""

    name: str = Field(default="Gatewatch", description="Name of the site, on pictures and in messages.")
    timezone: str = Field(default="Asia/Shanghai", description="IANA name; schedules and what people read are in it.")
    language: Literal["zh-CN", "en"] = Field(default="zh-CN", description="Language of messages to people.")


class Calendar(Section):
    """School days: Monday to Friday inside `terms`, without `holidays`, with `extra_school_days` (make-up days)."""

    terms: list[str] = Field(
        default=[], description="First and last day of each term.", examples=[["2026-09-01/2027-01-20"]]
    )
    holidays: list[str] = Field(
        default=[], description="Days or ranges without school.", examples=[["2026-10-01/2026-10-07"]]
    )
    extra_school_days: list[str] = Field(
        default=[], description="Make-up school days, whatever their weekday.", examples=[["2026-10-10"]]
    )


class DetectorModel(Section):
    """What finds people and vehicles in a picture."""

    backend: Literal["openvino", "onnxruntime", "ultralytics", "recorded"] = Field(
        default="openvino", description="What runs the model; `recorded` reads detections from a file (tests)."
    )
    model: str = Field(
        default="yolov8n-int8", description="A name that `gatewatch models list` shows, or the path of a file."
    )
    input: tuple[Annotated[int, Field(ge=32, le=4096)], Annotated[int, Field(ge=32, le=4096)]] = Field(
        default=(384, 512), description="Size at which the model looks at the picture: [height, width] in pixels."
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Weaker detections are not used; weak ones only continue tracks and cases."
    )
    device: str = Field(default="cpu", description="Where the model runs: cpu, gpu, or a name that the backend knows.")
    mode: Literal["throughput", "latency"] = Field(
        default="throughput",
        description="throughput: each core works on a picture of its own (least work); latency: all cores on one.",
    )
    look: Literal["changes", "whole"] = Field(
        default="changes",
        description="changes: at what changed since it was last looked at, at all of it every few seconds; "
        "whole: at all of every picture.",
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        default=None, description="Cores for inference; left out: all that the process may use."
    )


class Redis(Section):
    """The stream of events."""

    url: str | None = Field(
        default=None,
        description="redis://, rediss:// or unix:// address. Left out: embedded (one machine, `gatewatch up`).",
        examples=["redis://127.0.0.1:6379/0"],
    )


class Database(Section):
    """The record: incidents, alerts, answers."""

    url: str | None = Field(
        default=None,
        description="sqlite:///FILE or postgresql+psycopg://... Left out: SQLite in `data`.",
        examples=["sqlite:////srv/gatewatch.db"],
    )


class WorkerPage(Listen):
    """Where the worker answers."""

    port: Port = Field(default=9464, description="TCP port.")


class DispatcherPage(Listen):
    """Where the dispatcher answers."""

    port: Port = Field(default=9465, description="TCP port.")


class RecorderPage(Listen):
    """Where the recorder answers."""

    port: Port = Field(default=9466, description="TCP port.")


class Worker(Section):
    """The process that analyses."""

    metrics: WorkerPage = Field(
        default=WorkerPage(), description="Its page: /metrics for Prometheus, /livez and /readyz."
    )


class Retry(Section):
    """What cannot be sent now is tried again: after `first`, then twice as long each time, of it a random half to whole."""

    first: Seconds = Field(default=1.0, ge=0.01, description="The first pause.")
    longest: Seconds = Field(default=300.0, ge=0.01, description="No pause is longer.")
    tries: int = Field(default=12, ge=1, le=100, description="Then it is a dead letter.")


class Dispatcher(Section):
    """The process that turns incidents into alerts."""

    metrics: DispatcherPage = Field(default=DispatcherPage(), description="Its page: /metrics, /livez and /readyz.")
    take_over: Seconds = Field(
        default=30.0,
        description="After so long without a word, what a dispatcher had in hand is taken over by the others.",
    )
    retry: Retry = Field(default=Retry(), description="What a channel cannot send now.")


class Recorder(Section):
    """The process that records."""

    metrics: RecorderPage = Field(default=RecorderPage(), description="Its page: /metrics, /livez and /readyz.")


class Change(Section):
    """Who changed this file last, and why: it goes into the audit of the footage."""

    who: str | None = Field(default=None, description="Who changed it. Left out: the owner of the file.")
    why: str | None = Field(
        default=None, description="Why. Change it with each change: one that is as it was says nothing."
    )


class Config(Section):
    """One site."""

    change: Change = Change()
    site: Site = Site()
    calendar: Calendar = Calendar()
    data: Path = Field(
        default_factory=default_data_dir,
        description="Folder of segments, pictures, store, spool and models. Left out: a folder of the user's own.",
    )
    ffmpeg: Path | None = Field(
        default=None,
        description="The ffmpeg program. Left out: the one in the wheel imageio-ffmpeg.",
        examples=["/usr/bin/ffmpeg"],
    )
    cameras: dict[CameraId, Camera] = Field(
        default={}, description="The cameras, by id (lower-case letters, digits, hyphens)."
    )
    recording: Recording = Recording()
    tracks: Tracks = Tracks()
    schedules: dict[ScheduleName, str] = Field(
        default={},
        description="Schedules with a name, for rules to use.",
        examples=[{"dismissal": "school_days 16:20-17:10"}],
    )
    detector: DetectorModel = DetectorModel()
    redis: Redis = Redis()
    database: Database = Database()
    channels: Channels = Channels()
    recipients: dict[RecipientName, RecipientModel] = Field(
        default={},
        description="Who can be told, by name. Left out: whoever sits in the control room, through every channel.",
    )
    rosters: dict[RecipientName, list[ShiftModel]] = Field(
        default={}, description="Who is on duty when, by the roster's name."
    )
    escalation: dict[RecipientName, list[StepModel]] = Field(
        default={},
        description="Chains, by name: who is told first, and who next while nobody answers. `default` is taken by what no "
        "route takes.",
    )
    routes: list[RouteModel] = Field(default=[], description="Which incidents go to which chain, first match first.")
    alerts: Alerts = Alerts()
    worker: Worker = Worker()
    dispatcher: Dispatcher = Dispatcher()
    recorder: Recorder = Recorder()
    console: Console = Console()
