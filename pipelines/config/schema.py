"""Every key of the configuration, with its default. Unknown keys are refused everywhere.

The models hold what YAML can say; quantities such as `90s` or `20GiB` are plain numbers here (seconds, bytes). What only
makes sense with the whole file in view (unknown zones, crossing edges, calendars) is judged by `checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.config.quantities import Bytes, Seconds
from pipelines.paths import default_data_dir


class Section(BaseModel):
    """A mapping in YAML: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(Section):
    name: str = "Gatewatch"
    timezone: str = "Asia/Shanghai"
    language: Literal["zh-CN", "en"] = "zh-CN"


class Calendar(Section):
    """School days: Monday to Friday inside `terms`, without `holidays`, with `extra_school_days` (make-up days)."""

    terms: list[str] = []
    holidays: list[str] = []
    extra_school_days: list[str] = []


class Stream(Section):
    url: str


class GroundPoint(Section):
    picture: tuple[float, float]
    metres: tuple[float, float]


class ZoneModel(Section):
    polygon: list[tuple[float, float]]


class ParkingRule(Section):
    kind: Literal["illegal_parking"]
    zone: str
    id: str | None = None  # default: kind:zone
    after: Seconds = 180.0
    warn_after: Seconds | None = None
    schedule: str = "always"
    except_: str | None = Field(None, alias="except")
    classes: list[Literal["car", "bus", "truck", "motorcycle", "bicycle"]] = ["car", "bus", "truck", "motorcycle"]
    severity: Annotated[int, Field(ge=1, le=4)] = 2


class CrowdingRule(Section):
    kind: Literal["crowding"]
    zone: str
    id: str | None = None
    people: Annotated[int, Field(ge=1)] | None = None
    density: Annotated[float, Field(gt=0)] | None = None  # people per square metre
    for_: Seconds = Field(30.0, alias="for")
    repeat: Seconds = 30.0
    schedule: str = "always"
    except_: str | None = Field(None, alias="except")
    severity: Annotated[int, Field(ge=1, le=4)] | None = None  # none: from the level reached


class BullyingRule(Section):
    kind: Literal["possible_bullying"]
    zone: str
    id: str | None = None
    schedule: str = "always"
    except_: str | None = Field(None, alias="except")
    sensitivity: Literal["low", "normal", "high"] = "normal"


Rule = Annotated[ParkingRule | CrowdingRule | BullyingRule, Field(discriminator="kind")]


class Camera(Section):
    name: str | None = None
    main: Stream
    sub: Stream | None = None
    ground: list[GroundPoint] = []
    masks: list[list[tuple[float, float]]] = []
    zones: dict[str, ZoneModel] = {}
    rules: list[Rule] = []
    fps: Annotated[float, Field(gt=0, le=30)] = 5.0


class DetectorModel(Section):
    backend: Literal["openvino", "onnxruntime", "ultralytics", "recorded"] = "openvino"
    model: str = "yolov8n-int8"
    """A name in models/catalogue.yaml, or the path of a file."""
    input: tuple[int, int] = (384, 512)  # height, width
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.25
    device: str = "cpu"


class Recording(Section):
    keep: Seconds = 30 * 86400.0
    keep_incidents: Seconds = 90 * 86400.0
    reserve_free: Bytes = 50 * 1024**3


class Redis(Section):
    url: str | None = None


class Database(Section):
    url: str | None = None


class Webhook(Section):
    url: str
    secret: str


class Channels(Section):
    """Where alerts go until routes say otherwise."""

    log: bool = True
    jsonl: Path | None = None
    webhook: Webhook | None = None


class Config(Section):
    """One site."""

    site: Site = Site()
    calendar: Calendar = Calendar()
    data: Path = Field(default_factory=default_data_dir)
    cameras: dict[str, Camera] = {}
    recording: Recording = Recording()
    schedules: dict[str, str] = {}
    detector: DetectorModel = DetectorModel()
    redis: Redis = Redis()
    database: Database = Database()
    channels: Channels = Channels()
