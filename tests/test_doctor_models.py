"""What `gatewatch doctor` says of models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipelines.config.model_catalogue import models_folder
from pipelines.doctor import programs
from pipelines.doctor.findings import Level
from pipelines.models.installed import Installed


def installed(models: Path, name: str) -> Path:
    """A model as `gatewatch models build` leaves it; returns its file."""
    file = models / name / "model.onnx"
    file.parent.mkdir()
    file.write_bytes(b"a network")
    digest = hashlib.sha256(b"a network").hexdigest()
    Installed(name, file.name, "MIT", "key", {file.name: digest}).write(file.parent)
    return file


def test_model_is_found_by_name_or_path(tmp_path: Path) -> None:
    finding = programs.check_model("yolov8n-int8", "openvino", [tmp_path])
    assert finding.level is Level.FAIL
    assert "gatewatch models build" in finding.mend
    installed(tmp_path, "yolov8n-int8")
    assert programs.check_model("yolov8n-int8", "openvino", [tmp_path]).level is Level.OK
    assert programs.check_model(str(tmp_path / "own.onnx"), "onnxruntime", []).level is Level.FAIL
    (tmp_path / "own.onnx").touch()
    assert programs.check_model(str(tmp_path / "own.onnx"), "onnxruntime", []).level is Level.OK


def test_a_model_of_an_older_recipe_works_and_is_told_of(tmp_path: Path) -> None:
    folder = installed(tmp_path, "yolov8n-int8").parent
    record = json.loads((folder / "model.json").read_text())
    for made_by, level in (
        (hashlib.sha256((models_folder() / "recipe.py").read_bytes()).hexdigest(), Level.OK),
        (hashlib.sha256(b"an older one").hexdigest(), Level.WARN),
    ):
        (folder / "model.json").write_text(json.dumps(record | {"made_from": {"recipe": made_by}}))
        finding = programs.check_model("yolov8n-int8", "openvino", [tmp_path])
        assert finding.level is level
    assert "yolov8n-int8" in finding.said
    assert "gatewatch models build" in finding.mend


@pytest.mark.parametrize("left", [b"", b"a net"])
def test_a_damaged_model_is_found_before_its_rule_is_silent(tmp_path: Path, left: bytes) -> None:
    file = installed(tmp_path, "yolov8n-fp32")
    file.write_bytes(left)
    finding = programs.check_model("yolov8n-fp32", "counting dense crowds", [tmp_path])
    assert finding.level is Level.FAIL
    assert str(file) in finding.said
    assert "gatewatch models build" in finding.mend


def test_a_model_without_a_readable_record_is_not_there_as_for_the_worker(tmp_path: Path) -> None:
    (installed(tmp_path, "yolov8n-int8").parent / "model.json").write_text("{")
    assert programs.check_model("yolov8n-int8", "openvino", [tmp_path]).level is Level.FAIL
