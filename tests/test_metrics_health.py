from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from pipelines.errors import BadInput
from pipelines.health import HealthServer, evaluate
from pipelines.metrics import Metrics

NAMES = (
    "frames_analysed_total",
    "frames_dropped_total",
    "stage_duration_seconds_bucket",
    "last_frame_timestamp_seconds",
    "detector_errors_total",
    "reconnects_total",
    "incidents_total",
    "bus_pending_messages",
    "spool_messages",
    "alert_delay_seconds_bucket",
    "alert_acknowledge_seconds_bucket",
    "deliveries_total",
    "recorded_seconds_total",
    "gap_seconds_total",
    "retention_achieved_seconds",
    "disk_days_to_full",
    "recordings_deleted_bytes_total",
    "build_info",
)
LABELS = {"camera", "behaviour", "stage", "reason", "channel", "outcome"}


def filled() -> Metrics:
    metrics = Metrics()
    metrics.frames_analysed.labels(camera="a").inc()
    metrics.frames_dropped.labels(camera="a", reason="old").inc()
    metrics.last_frame_timestamp.labels(camera="a").set(1)
    metrics.detector_errors.labels(camera="a").inc()
    metrics.reconnects.labels(camera="a", reason="timeout").inc()
    metrics.incidents.labels(camera="a", behaviour="crowding").inc()
    metrics.alert_delay.labels(channel="log").observe(0.1)
    metrics.deliveries.labels(channel="log", outcome="sent").inc()
    metrics.recorded_seconds.labels(camera="a").inc()
    metrics.gap_seconds.labels(camera="a", reason="camera").inc()
    metrics.retention_achieved.labels(camera="a").set(1)
    metrics.recordings_deleted_bytes.labels(camera="a", reason="policy").inc()
    with metrics.stage("detect"):
        pass
    return metrics


def test_every_metric_of_the_design_is_exposed_with_its_labels_only() -> None:
    metrics = filled()
    text = metrics.exposition()[0].decode()
    for name in NAMES:
        assert f"\ngatewatch_{name}" in text, name
    for family in metrics.registry.collect():
        if family.name.startswith("gatewatch_") and family.name != "gatewatch_build":
            for sample in family.samples:
                assert set(sample.labels) - {"le"} <= LABELS, sample


def test_two_metrics_objects_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.spool_messages.set(5)
    assert second.registry.get_sample_value("gatewatch_spool_messages") == 0


def test_a_stage_that_raised_is_measured_too() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError), metrics.stage("detect"):
        raise ValueError
    assert metrics.registry.get_sample_value("gatewatch_stage_duration_seconds_count", {"stage": "detect"}) == 1


def broken() -> tuple[bool, str]:
    raise RuntimeError("secret detail")


@pytest.fixture
def server() -> Iterator[HealthServer]:
    state = {"redis": (lambda: (False, "away for 12 s")), "store": (lambda: (True, "ok")), "broken": broken}
    with HealthServer(filled(), ready=state) as health:
        yield health


def get(port: int, path: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_the_body_names_the_failing_checks(server: HealthServer) -> None:
    status, content_type, body = get(server.port, "/readyz")
    said = json.loads(body)
    assert (status, content_type) == (503, "application/json")
    assert said["failing"] == ["redis", "broken"]
    assert said["checks"]["redis"] == {"ok": False, "reason": "away for 12 s"}
    assert b"secret detail" not in body


def test_alive_though_not_ready_and_metrics_served(server: HealthServer) -> None:
    assert get(server.port, "/livez")[0] == 200
    status, content_type, body = get(server.port, "/metrics?x=1")
    assert status == 200
    assert content_type.startswith("text/plain")
    assert b"gatewatch_build_info{version=" in body
    assert get(server.port, "/etc/passwd")[0] == 404


def test_a_taken_port_is_one_clear_error(server: HealthServer) -> None:
    with pytest.raises(BadInput, match=rf"127\.0\.0\.1:{server.port}.*--health-port"):
        HealthServer(Metrics(), ready={}, port=server.port).start()


def test_no_checks_is_well() -> None:
    assert evaluate({}) == (True, {"status": "ok", "failing": [], "checks": {}})
