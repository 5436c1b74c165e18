"""What is built again and what is not, what is refused, and what a failed build leaves. The tools themselves are real
in `gatewatch models build`; here a small program stands in for the recipe, run through the same interface."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipelines.clock import SystemClock
from pipelines.config.model_catalogue import Catalogue, Recipe, load_catalogue, models_folder
from pipelines.errors import BadInput, GatewatchError, Unavailable
from pipelines.media.ffmpeg import find_binary
from pipelines.models.build import Site, build, weights_folder
from pipelines.models.installed import Installed
from pipelines.models.quality import ModelRefused
from pipelines.models.toolchain import Toolchain
from vision.coco import PERSON

WEIGHTS = b"not really weights"

#: Stands in for models/recipe.py: `export` copies a network that was made beforehand, `quantise` converts another.
RECIPE = """
import openvino, pathlib, shutil, sys
step, source, out = sys.argv[1:4]
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls: calls.write(step + "\\n")
if step == "export":
    shutil.copy(here / "fp32.onnx", out)
else:
    assert len(list(pathlib.Path(sys.argv[4]).glob("*.npy"))) == 1
    if (here / "fail").exists(): sys.exit("RuntimeError: the tool broke")
    openvino.save_model(openvino.Core().read_model(here / "int8.onnx"), out)
print("tool stand-in==1.0")
"""


def network(path: Path, people: int) -> None:
    """A network that always sees `people` people."""
    answer = np.zeros((1, 84, 40), np.float32)
    for number in range(people):
        answer[0, :4, number] = 20 + 8 * number, 32, 6, 20
        answer[0, 4 + PERSON, number] = 0.9
    shape = [1, 3, "height", "width"]
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
            helper.make_node("Add", ["answer", "zero"], ["output0"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 84, 40])],
        [numpy_helper.from_array(np.zeros(1, np.float32), "nothing"), numpy_helper.from_array(answer, "answer")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def catalogue(**agreement: object) -> Catalogue:
    recipe = {"weights": "w", "licence": "x", "card": "c.md", "classes": ["person"], "inputs": [[64, 128]]}
    limit = {"least": 0.98, "confidence": 0.25, "iou": 0.5, "pictures": 10, "inputs": [[64, 128]]} | agreement
    quantisation = {"reference": "fp32", "sample": "clip.mp4", "pictures": 10, "inputs": [[64, 128]]}
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    source = {"url": "http://127.0.0.1:9/w.pt"}
    return Catalogue.model_validate(
        {
            "weights": {
                "w": {
                    "file": "w.pt",
                    "sha256": digest,
                    "size_bytes": len(WEIGHTS),
                    "licence": "x",
                    "card": "c.md",
                    "sources": [source],
                }
            },
            "models": {
                "int8": recipe | {"format": "openvino-int8", "quantisation": quantisation, "agreement": limit},
                "fp32": recipe | {"format": "onnx"},
            },
        }
    )


class Bench:
    """A folder with everything that a build needs, without the network."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tools = root / "tools"
        self.tools.mkdir()
        (self.tools / "recipe.py").write_text(RECIPE)
        network(self.tools / "fp32.onnx", people=10)
        network(self.tools / "int8.onnx", people=10)
        self.clip = root / "clip.mp4"
        source = ["-f", "lavfi", "-i", "testsrc2=size=128x64:rate=10:duration=3"]
        subprocess.run([find_binary(), "-loglevel", "error", *source, str(self.clip)], check=True)
        self.models = root / "models"
        weights_folder(self.models).mkdir(parents=True)
        (weights_folder(self.models) / "w.pt").write_bytes(WEIGHTS)
        self.said: list[str] = []
        venv = root / "venv"
        (venv / "bin").mkdir(parents=True)
        python = venv / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        self.requirements = ("stand-in==1.0",)
        (venv / "requirements.json").write_text(json.dumps(list(self.requirements)))

    def build(self, entries: Catalogue | None = None, *, force: bool = False) -> list[Installed]:
        toolchain = Toolchain(self.root / "venv", self.requirements, self.tools / "recipe.py")
        site = Site(self.models, toolchain, lambda _: self.clip, SystemClock(), self.said.append)
        return build(entries or catalogue(), ["int8"], site, force=force)

    def calls(self) -> list[str]:
        path = self.tools / "calls"
        calls = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return calls

    def left(self) -> list[str]:
        return sorted(path.name for path in self.models.iterdir() if path.name != ".lock")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_reference_is_built_first_and_what_is_up_to_date_is_left_alone(bench: Bench) -> None:
    records = bench.build()
    assert [record.name for record in records] == ["fp32", "int8"]
    assert bench.calls() == ["export", "quantise"]
    assert records[1].agreement == [
        {"input": [64, 128], "reference": 100, "other": 100, "shared": 100, "kept": 1.0, "f1": 1.0}
    ]
    assert records[1].tools == {"stand-in": "1.0"}
    assert bench.left() == ["fp32", "int8", "weights"]
    bench.said.clear()
    assert bench.build() == records
    assert bench.calls() == []
    assert bench.said == []


def test_a_change_of_any_input_builds_again(bench: Bench) -> None:
    bench.build()
    bench.calls()
    bench.build(catalogue(least=0.9))
    assert bench.calls() == ["quantise"]
    bench.build(force=True)
    assert bench.calls() == ["export", "quantise"]
    (bench.tools / "recipe.py").write_text((bench.tools / "recipe.py").read_text() + "\n# changed\n")
    bench.build()
    assert bench.calls() == ["export", "quantise"]
    source = ["-f", "lavfi", "-i", "testsrc=size=128x64:rate=10:duration=3"]
    subprocess.run([find_binary(), "-y", "-loglevel", "error", *source, str(bench.clip)], check=True)
    bench.build()
    assert bench.calls() == ["quantise"]
    (bench.models / "int8" / "model.bin").write_bytes(b"")
    bench.build()
    assert bench.calls() == ["quantise"]


def test_a_model_that_loses_boxes_is_refused_and_the_old_one_stays(bench: Bench) -> None:
    before = bench.build()[1]
    network(bench.tools / "int8.onnx", people=9)
    with pytest.raises(ModelRefused, match=r"90 of 100 boxes kept \(90\.0%\)"):
        bench.build(force=True)
    assert Installed.read(bench.models / "int8") == before
    assert bench.left() == ["fp32", "int8", "weights"]
    shutil.rmtree(bench.models / "int8")
    with pytest.raises(ModelRefused):
        bench.build()
    assert bench.left() == ["fp32", "weights"]


def test_a_reference_that_sees_nothing_proves_nothing(bench: Bench) -> None:
    network(bench.tools / "fp32.onnx", people=0)
    with pytest.raises(ModelRefused, match="sees nothing"):
        bench.build()


def test_a_tool_that_breaks_leaves_nothing(bench: Bench) -> None:
    (bench.tools / "fail").touch()
    with pytest.raises(GatewatchError, match=r"quantise failed .*the tool broke"):
        bench.build()
    assert bench.left() == ["fp32", "weights"]


def test_what_a_killed_build_left_is_removed(bench: Bench) -> None:
    (bench.models / ".build-dead").mkdir()
    (bench.models / ".build-dead" / "half").write_text("")
    bench.build()
    assert bench.left() == ["fp32", "int8", "weights"]


def test_too_short_a_video_is_said(bench: Bench) -> None:
    source = ["-f", "lavfi", "-i", "testsrc=size=128x64:rate=10:duration=0.5"]
    subprocess.run([find_binary(), "-y", "-loglevel", "error", *source, str(bench.clip)], check=True)
    with pytest.raises(BadInput, match="has 5 pictures, 10 are needed"):
        bench.build()


FEATURES = """
import pathlib, sys
weights, out = sys.argv[1:]
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls: calls.write("features\\n")
pathlib.Path(out).write_bytes(pathlib.Path(weights).read_bytes() + b" described")
print("tool openvino==1.0")
"""


def test_a_describer_is_built_without_the_build_environment(bench: Bench) -> None:
    entries = catalogue()
    recipe = {"weights": "w", "licence": "x", "card": "c.md", "classes": [], "inputs": [[64, 64]]}
    entries.models["seer"] = Recipe.model_validate(recipe | {"format": "openvino-features"})
    (bench.tools / "features.py").write_text(FEATURES)
    shutil.rmtree(bench.root / "venv")
    toolchain = Toolchain(bench.root / "venv", ("never-installed==1.0",), bench.tools / "recipe.py")
    site = Site(bench.models, toolchain, Path, SystemClock(), bench.said.append)
    (record,) = build(entries, ["seer"], site)
    assert (bench.models / "seer" / record.model).read_bytes() == WEIGHTS + b" described"
    assert record.tools == {"openvino": "1.0"}
    assert not toolchain.folder.exists()
    assert build(entries, ["seer"], site) == [record]
    assert bench.calls() == ["features"]
    (bench.tools / "features.py").write_text(FEATURES + "# changed\n")
    build(entries, ["seer"], site)
    assert bench.calls() == ["features"]


def test_an_unknown_model_names_the_known(bench: Bench) -> None:
    toolchain = Toolchain(bench.root / "venv", (), bench.tools / "recipe.py")
    with pytest.raises(BadInput, match="it has: int8, fp32"):
        build(catalogue(), ["yolo99"], Site(bench.models, toolchain, Path, SystemClock(), bench.said.append))


def test_tools_that_cannot_be_installed_leave_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    toolchain = Toolchain(tmp_path / "venv", ("gatewatch-no-such-tool==1.0",), tmp_path / "recipe.py")
    with pytest.raises(Unavailable, match="is this machine on the network"):
        toolchain.prepare(lambda _: None)
    assert not (tmp_path / "venv").exists()
    assert not toolchain.ready()


def test_the_catalogue_of_the_checkout_is_whole() -> None:
    entries = load_catalogue(models_folder())
    assert set(entries.models) == {"yolov8n-fp32", "yolov8n-int8", "efficientnet-lite0-features"}
    for name, entry in {**entries.weights, **entries.models}.items():
        card = (models_folder() / entry.card).read_text()
        assert name in card
        assert entry.licence in card
    requirements = Toolchain.described_in(models_folder(), Path("x")).requirements
    assert all("==" in requirement for requirement in requirements)
    assert requirements[-1].startswith("openvino==")


def test_every_fault_of_a_catalogue_is_named(tmp_path: Path) -> None:
    text = (models_folder() / "catalogue.yaml").read_text()
    (tmp_path / "catalogue.yaml").write_text(text.replace("weights: yolov8n\n", "weights: yolov9n\n", 1))
    with pytest.raises(BadInput, match=r"(?s)models\.yolov8n-fp32\.weights.*cards/yolov8n\.md is not there"):
        load_catalogue(tmp_path)
    (tmp_path / "catalogue.yaml").write_text(text.replace("sha256: f5", "sha256: 5").replace("licence:", "license:", 1))
    with pytest.raises(BadInput, match=r"(?s)weights\.yolov8n\.sha256.*weights\.yolov8n\.licen"):
        load_catalogue(tmp_path)
