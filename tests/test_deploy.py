"""Dockerfile, compose.yaml, Prometheus and Grafana against the code: no Docker engine runs here, so nothing in them is taken
on trust: every path, port, command, variable and metric is looked up."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from pipelines.aggression import DESCRIBER, HEAD
from pipelines.cli import build_parser
from pipelines.config.loader import load_text
from pipelines.config.schema import Config
from pipelines.crowding.loading import HEAD as CROWD_HEAD
from pipelines.crowding.loading import NETWORK
from pipelines.metrics import Metrics
from pipelines.paths import default_data_dir, model_dirs, samples_dir
from pipelines.samples import library
from pipelines.samples.cameras import CAMERAS_PER_SERVER

ROOT = Path(__file__).resolve().parent.parent
IMAGE = "gatewatch"
CONFIG_IN_IMAGE = "/etc/gatewatch/gatewatch.yaml"


class Step(NamedTuple):
    stage: int
    word: str
    rest: str


def dockerfile() -> list[Step]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    steps: list[Step] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            stage += word == "FROM"
            steps.append(Step(stage, word, rest))
    return steps


DOCKERFILE = dockerfile()
LAST = DOCKERFILE[-1].stage
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == IMAGE and "command" in service}


def steps(word: str, stage: int | None = None) -> list[str]:
    return [step.rest for step in DOCKERFILE if step.word == word and stage in {None, step.stage}]


def environment() -> dict[str, str]:
    pairs = (pair.partition("=") for line in steps("ENV") for pair in shlex.split(line))
    return {name: value for name, _, value in pairs}


def accepted(argv: list[str]) -> bool:
    try:
        build_parser().parse_args(argv)
    except SystemExit:
        return False
    return True


def health_port(test: list[str]) -> int:
    match = re.search(r"127\.0\.0\.1(?::|', )(\d+)", " ".join(test))
    assert match is not None
    return int(match[1])


# Dockerfile


def test_what_the_image_copies_is_there() -> None:
    missing = []
    for line in steps("COPY"):
        if not line.startswith("--from"):
            missing += [source for source in line.split()[:-1] if "*" not in source and not (ROOT / source).exists()]
    assert missing == []


def test_the_packages_of_the_distribution_are_all_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = {source for line in steps("COPY", 0) for source in line.split()[:-1]}
    assert packages <= copied
    assert {"pyproject.toml", "setup.py"} <= copied
    extras = {
        extra for line in steps("RUN") for found in re.findall(r"\.\[([a-z,]+)\]", line) for extra in found.split(",")
    }
    assert extras
    assert extras <= set(project["project"]["optional-dependencies"])
    assert "models" not in extras  # torch stays out of what runs


def test_every_command_of_the_image_exists() -> None:
    commands = [shlex.split(line)[1:] for line in steps("RUN") if line.startswith("gatewatch ")]
    assert [command[0] for command in commands] == ["samples", "models", "models", "models"]
    assert json.loads(steps("ENTRYPOINT", LAST)[0]) == ["gatewatch"]
    commands.append(json.loads(steps("CMD", LAST)[0]))
    assert [command for command in commands if not accepted(command)] == []


def test_the_model_is_where_the_code_looks_and_the_footage_and_tools_stay_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWATCH_HOME", environment()["GATEWATCH_HOME"])
    needed = [Config().detector.model, NETWORK, DESCRIBER]
    models = [str(model_dirs(Path("/var/lib/gatewatch"))[-1] / name) for name in needed]
    copied = [line.split()[1:] for line in steps("COPY", LAST) if line.startswith("--from")]
    assert copied == [[model, model] for model in models]
    built = [line.split()[-1] for line in steps("RUN") if line.startswith("gatewatch models build")]
    assert built == needed
    for head in (HEAD, CROWD_HEAD):
        assert f"models/{head.parent} ./models/{head.parent}" in steps("COPY", LAST)
        assert (ROOT / "models" / head).is_file()
    assert f"mkdir -p {samples_dir()}" in steps("RUN", LAST)[-1]
    assert default_data_dir() == Path(environment()["GATEWATCH_HOME"])


def test_the_image_runs_as_nobody_special_and_is_watched() -> None:
    (user,) = steps("USER", LAST)
    assert user not in {"root", "0"}
    assert f"useradd --system --uid 10001 --home-dir {steps('VOLUME', LAST)[0]}" in steps("RUN", LAST)[-1]
    (health,) = steps("HEALTHCHECK", LAST)
    assert health_port([health]) == Config().worker.metrics.port
    assert "/livez" in health
    assert f"configs/gatewatch.yaml {CONFIG_IN_IMAGE}" in steps("COPY", LAST)


# compose.yaml


@pytest.mark.parametrize("name", OURS)
def test_every_command_in_compose_exists_and_reads_the_mounted_configuration(name: str) -> None:
    command = [str(word) for word in OURS[name]["command"]]
    assert accepted(command)
    if "-c" in command:
        assert command[command.index("-c") + 1] == CONFIG_IN_IMAGE
    mounted = [volume.rsplit(":", 2) for volume in OURS[name]["volumes"] if volume.endswith(":ro")]
    if mounted:
        assert mounted == [["${GATEWATCH_CONFIG:-./configs/compose.yaml}", CONFIG_IN_IMAGE, "ro"]]


def test_the_processes_of_a_site_are_all_there() -> None:
    assert {service["command"][0] for service in OURS.values()} == {
        "samples",
        "record",
        "worker",
        "dispatch",
        "janitor",
        "console",
    }
    assert {"redis", "prometheus"} <= set(SERVICES)


def test_what_compose_mounts_is_there_and_every_volume_is_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), volume
            else:
                assert source in COMPOSE["volumes"], volume
    samples = f"samples:{environment()['GATEWATCH_HOME']}/samples"
    assert samples in SERVICES["samples"]["volumes"]
    for name in ("recorder", "worker", "dispatcher"):
        assert f"data:{steps('VOLUME', LAST)[0]}" in SERVICES[name]["volumes"]


def test_every_probe_asks_the_port_of_its_process() -> None:
    config = Config()
    ports = {"recorder": config.recorder, "worker": config.worker, "dispatcher": config.dispatcher}
    ports |= {"console": config.console}
    for name, section in ports.items():
        assert health_port(SERVICES[name]["healthcheck"]["test"]) == section.metrics.port
    serve = SERVICES["samples"]["command"]
    assert health_port(SERVICES["samples"]["healthcheck"]["test"]) == int(serve[serve.index("--port") + 1])


def test_all_share_one_network_that_shows_only_console_and_prometheus_to_this_machine() -> None:
    assert {name for name, service in SERVICES.items() if service.get("network_mode") != "service:site"} == {"site"}
    assert [port for service in SERVICES.values() for port in service.get("ports", [])] == [
        "127.0.0.1:9090:9090",
        "127.0.0.1:8470:8470",
    ]
    config = load_text((ROOT / "configs/compose.yaml").read_text("utf-8"), "compose.yaml", {})
    assert (config.console.host, config.console.port) == ("0.0.0.0", 8470)  # what is published arrives from outside


def test_redis_in_compose_persists_and_is_the_one_that_the_configuration_names() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--bind 127.0.0.1 --port 6379 --appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    config = load_text((ROOT / "configs/compose.yaml").read_text("utf-8"), "compose.yaml", {})
    assert config.redis.url == "redis://127.0.0.1:6379/0"
    assert str(config.data) == steps("VOLUME", LAST)[0]


def test_the_cameras_of_compose_are_the_sample_cameras() -> None:
    command = SERVICES["samples"]["command"]
    port = int(command[command.index("--port") + 1])
    config = load_text((ROOT / "configs/compose.yaml").read_text("utf-8"), "compose.yaml", {})
    names = library.camera_list()
    assert list(config.cameras) == [camera_id for camera_id, _ in names]
    for index, (camera_id, clip_id) in enumerate(names):
        at = f"rtsp://127.0.0.1:{port + index // CAMERAS_PER_SERVER}/{clip_id}"
        camera = config.cameras[camera_id]
        assert camera.main.url == f"{at}-main.mp4?play_count=0"
        assert camera.sub is not None
        assert camera.sub.url == f"{at}-sub.mp4?play_count=0"
        clip = library.clips()[clip_id]
        wanted = load_text(
            yaml.safe_dump(
                {
                    "cameras": {
                        "x": {"main": {"url": "x"}, "zones": dict(clip.zones), "rules": [dict(r) for r in clip.rules]}
                    }
                }
            ),
            "clip",
            {},
        ).cameras["x"]
        assert (camera.zones, camera.rules) == (wanted.zones, wanted.rules)


def test_variables_that_the_files_name_are_those_that_somebody_reads() -> None:
    text = (ROOT / "compose.yaml").read_text("utf-8")
    assert set(re.findall(r"\$\{(\w+)", text)) == {"GATEWATCH_CONFIG"}  # compose's own: what is mounted
    known = {"GATEWATCH_HOME"} | {"PATH", "PYTHONUNBUFFERED", "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK"}
    assert set(environment()) == known
    assert "environment" not in str(SERVICES)


# Prometheus and Grafana

#: What every process has from prometheus_client and Prometheus itself.
STANDARD = {"process_cpu_seconds_total", "process_resident_memory_bytes", "up"}
LABELS = {"camera", "behaviour", "stage", "reason", "channel", "outcome"} | {"le", "job", "version"}


def exposed() -> set[str]:
    names = set()
    for family in Metrics().registry.collect():
        suffixes = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_sum", "_count"],
            "info": ["_info"],
        }.get(family.type, [""])
        names |= {family.name + suffix for suffix in suffixes}
    return names


def expressions() -> list[str]:
    dashboard = json.loads((ROOT / "configs/grafana/gatewatch.json").read_text("utf-8"))
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    alerts = yaml.safe_load((ROOT / "configs/prometheus/alerts.yml").read_text("utf-8"))
    return found + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expression", expressions())
def test_dashboards_and_alarms_name_only_metrics_and_labels_that_exist(expression: str) -> None:
    names = set(re.findall(r"\b((?:gatewatch|process)_\w+|up(?=\{))", expression))
    assert names
    assert names <= exposed() | STANDARD
    labels = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!=|=)", expression))
    labels |= {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    assert labels <= LABELS
    assert expression.count("(") == expression.count(")")


def test_every_metric_of_ours_is_looked_at_somewhere() -> None:
    shown = set(re.findall(r"\bgatewatch_\w+?(?=\b)", " ".join(expressions())))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed() if name.startswith("gatewatch_")}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == families


def test_the_dashboard_has_no_two_panels_in_one_place() -> None:
    panels = json.loads((ROOT / "configs/grafana/gatewatch.json").read_text("utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        grid = panel["gridPos"]
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_prometheus_asks_every_process_on_its_own_port() -> None:
    settings = yaml.safe_load((ROOT / "configs/prometheus/prometheus.yml").read_text("utf-8"))
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in settings["scrape_configs"]}
    config = Config()
    assert targets == {
        f"gatewatch-{name}": [f"{section.metrics.host}:{section.metrics.port}"]
        for name, section in (
            ("worker", config.worker),
            ("dispatcher", config.dispatcher),
            ("recorder", config.recorder),
            ("console", config.console),
        )
    }
    for file in settings["rule_files"]:
        assert (ROOT / "configs/prometheus" / file).is_file()
    mount = [volume for volume in SERVICES["prometheus"]["volumes"] if volume.startswith("./")]
    assert mount == ["./configs/prometheus:/etc/prometheus:ro"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
