"""What the API takes and gives, as its OpenAPI document says. Times are Unix seconds (UTC), as in the store."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines.alerting.life import Verdict

#: Beyond this no calendar of ours reaches (year 2286).
Time = Annotated[float, Field(ge=0, lt=1e10, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]


class Shape(BaseModel):
    """Given."""

    model_config = ConfigDict(extra="ignore")


class Asked(BaseModel):
    """Taken: what we do not know is refused."""

    model_config = ConfigDict(extra="forbid")


class Thread(Shape):
    """Where the answer to an incident stands. `created_s`: when the dispatcher had it; `deadline_s`: by when a person must
    answer the step told last."""

    state: str
    severity: int
    chain: str
    step: int
    silenced: str
    created_s: float
    deadline_s: float | None
    sent_s: float | None
    acknowledged_s: float | None
    acknowledged_by: str | None
    on_site_s: float | None
    on_site_by: str | None
    closed_s: float | None
    closed_by: str | None


class MainPicture(Shape):
    """The moment of a picture as the recorder has it of the main stream. `captured_at` is its own time, `off_s` how far after
    (negative: before) the picture's that is, `scale` how much larger it is than the analysed one, `agrees` whether it shows
    the same as that one but for people and vehicles (null: not looked at). Where `blurrable` is false, roles that see people
    blurred are refused it. `missing`: one word for why there is none, with `detail`; `url` is null then."""

    url: str | None
    captured_at: str | None = None
    source: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    off_s: float | None = None
    scale: float | None = None
    same_shape: bool | None = None
    agrees: bool | None = None
    blurrable: bool | None = None
    missing: str | None = None
    detail: str | None = None


class Picture(Shape):
    """`url` gives the JPEG, blurred for roles that the configuration names. `main`: null while nothing is known of it."""

    role: str
    url: str
    captured_at: str | None = None
    source: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    main: MainPicture | None = None


class Incident(Shape):
    """One incident at its newest revision. `thread`: None when nobody is to be told."""

    incident_id: str
    revision: int
    phase: str
    camera: str
    camera_name: str
    kind: str
    rule: str
    zone: str
    severity: int
    score: float
    first_seen_s: float
    opened_s: float
    updated_s: float
    closed_s: float | None
    close_reason: str | None
    drill: bool
    verdict: str | None
    box_norm: list[float] | None
    evidence: dict[str, Any]
    clock: dict[str, Any] | None
    pictures: list[Picture]
    thread: Thread | None


class Incidents(Shape):
    """`cursor` asks for the next page; null: this was the last."""

    incidents: list[Incident]
    cursor: str | None


class Alert(Shape):
    alert_id: str
    incident_id: str
    recipient: str
    purpose: str
    state: str
    severity: int
    test: bool
    event_s: float
    created_s: float
    sent_s: float | None
    acknowledged_s: float | None
    closed_s: float | None


class Alerts(Shape):
    alerts: list[Alert]
    cursor: str | None


class Delivery(Shape):
    delivery_id: int
    alert_id: str
    incident_id: str
    recipient: str
    channel: str
    event_id: str
    state: str
    attempts: int
    created_s: float
    finished_s: float | None
    reason: str


class Transition(Shape):
    from_state: str
    to_state: str
    at_s: float
    who: str
    note: str


class AlertWithDeliveries(Alert):
    deliveries: list[Delivery]
    transitions: list[Transition]


class Judgement(Shape):
    verdict: str
    at_s: float
    who: str
    note: str


class LogLine(Shape):
    """What happened to the thread: an answer of a person, a step of the chain, a note."""

    at_s: float
    who: str
    action: str
    from_state: str
    to_state: str
    note: str


class IncidentEvent(Shape):
    """A message about the incident, as it came from the worker."""

    event_id: str
    revision: int
    type: str
    time_s: float
    received_s: float
    body: dict[str, Any]


class WholeIncident(Incident):
    """An incident with everything that belongs to it."""

    alerts: list[AlertWithDeliveries]
    verdicts: list[Judgement]
    log: list[LogLine]


class Rule(Shape):
    id: str
    kind: str
    zone: str
    severity: int | None


class Camera(Shape):
    """Never its address. `snoozes`: rules that tell nobody just now."""

    camera: str
    name: str
    zones: dict[str, list[list[float]]]
    rules: list[Rule]
    open_incidents: int
    snoozes: list[Snooze]


class Snooze(Shape):
    snooze_id: int
    camera: str
    rule: str
    reason: str
    who: str
    from_s: float
    until_s: float


class Note(Asked):
    note: Text = ""


class Words(Asked):
    text: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]


class Answer(Asked):
    """`note` is needed for `false` on possible bullying."""

    verdict: Verdict
    note: Text = ""


class Raising(Asked):
    """An incident by hand. `at_s`: when it was (left out: now); `plate`: a number plate as read by the person."""

    kind: Annotated[str, Field(min_length=1, max_length=64)]
    at_s: Time | None = None
    zone: Annotated[str, Field(max_length=64)] = ""
    severity: Annotated[int, Field(ge=1, le=4)] = 2
    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""
    plate: Annotated[str, Field(max_length=20, pattern=r"^[^\x00]*$")] = ""


class Raised(Shape):
    incident_id: str


class Snoozing(Asked):
    rule: Annotated[str, Field(min_length=1, max_length=200)]
    until_s: Time
    reason: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]


class Snoozed(Shape):
    snooze_id: int


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is a word for programs; further members may follow."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str


Camera.model_rebuild()
