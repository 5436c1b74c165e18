"""The environment that builds models: torch and its company, in a place of their own, outside `.venv` and the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pipelines.children import end, spawn
from pipelines.errors import GatewatchError, Unavailable
from pipelines.models.fetch import Say, last_error

#: The environment takes 1.9 GB, and pip needs room to unpack while it installs.
NEEDED_BYTES: Final = 3 * 10**9


@dataclass(frozen=True, slots=True)
class Toolchain:
    """`folder` is the virtual environment; `requirements` what goes into it; `recipe` the program that it runs. `features` is
    the program that needs none of it.
    """

    folder: Path
    requirements: tuple[str, ...]
    recipe: Path

    @classmethod
    def described_in(cls, models: Path, folder: Path) -> Toolchain:
        """From the checkout's folder `models/`. OpenVINO is the version that will run the model here."""
        lines = (models / "build-requirements.txt").read_text(encoding="utf-8").splitlines()
        wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        return cls(folder, (*wanted, f"openvino=={version('openvino')}"), models / "recipe.py")

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def ready(self) -> bool:
        """Whether the environment is there, complete and made from these requirements."""
        try:
            done = json.loads((self.folder / "requirements.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(done == list(self.requirements)) and self.python.exists()

    def prepare(self, say: Say) -> None:
        """Make the environment unless it is ready.

        Raises:
            Unavailable: no room on the disk, no network, or pip failed; what was begun is removed.
        """
        if self.ready():
            return
        self.remove()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder.parent).free
        if free < NEEDED_BYTES:
            raise Unavailable(
                f"building models needs {NEEDED_BYTES / 1e9:.0f} GB for a while and {self.folder.parent} has "
                f"{free / 1e9:.1f} GB free: make room, or set GATEWATCH_HOME to a folder on another disk"
            )
        say(f"installing the build tools into {self.folder} (about 1.9 GB, 1-3 minutes)")
        try:
            self._run([sys.executable, "-m", "venv", str(self.folder)], "the virtual environment cannot be made", say)
            self._run(
                [
                    *(str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
                    *("--progress-bar", "off", "--timeout", "15", "--retries", "2", *self.requirements),
                ],
                "the build tools cannot be installed: is this machine on the network, and has the disk room?",
                say,
            )
        except BaseException:
            self.remove()
            raise
        (self.folder / "requirements.json").write_text(json.dumps(list(self.requirements)), encoding="utf-8")

    def run(self, step: list[str], scratch: Path, say: Say) -> dict[str, str]:
        """Run one step of the recipe; returns the version of each tool that took part.

        Raises:
            GatewatchError: the step failed; the message holds its last words.
        """
        _settle_ultralytics(scratch)
        output = self._run([str(self.python), "-I", str(self.recipe), *step], f"{step[0]} failed", say, scratch)
        return _tools(output)

    @property
    def features(self) -> Path:
        return self.recipe.with_name("features.py")

    def run_here(self, arguments: list[str], scratch: Path, say: Say) -> dict[str, str]:
        """Run `features` with the Python that runs Gatewatch. Returns and raises as `run`."""
        argv = [sys.executable, "-I", str(self.features), *arguments]
        return _tools(self._run(argv, "writing the network down failed", say, scratch))

    def remove(self) -> None:
        """Delete the environment."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, argv: list[str], failure: str, say: Say, scratch: Path | None = None) -> str:
        """Run a program to its end, telling `say` which packages pip is at; its output comes back whole."""
        child = spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment(scratch), cwd=scratch)
        lines: list[str] = []
        try:
            assert child.stdout is not None
            for raw in child.stdout:
                line = raw.decode(errors="replace").rstrip()
                lines.append(line)
                if match := re.match(r"\s*Downloading (?:\S+/)?(\S+?)-(\d\S*?)-\S+ (\(.*\))", line):
                    say(f"  {match[1]} {match[2]} {match[3]}")
                elif line.startswith("Installing collected packages"):
                    say("  unpacking")
        finally:
            code = end(child)
        output = "\n".join(lines)
        if code != 0:
            kind = Unavailable if scratch is None else GatewatchError
            raise kind(f"{failure} ({last_error(output)})")
        return output


def _tools(output: str) -> dict[str, str]:
    return dict(re.findall(r"^tool (\S+)==(\S+)$", output, re.MULTILINE))


def _environment(scratch: Path | None) -> dict[str, str]:
    """Ours, without what would leak into another interpreter, and with every tool told to keep to itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    quiet = {
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "ULTRALYTICS_SAFE_LOAD": "true",
        # The only switch that NNCF has against reporting its use.
        "NNCF_CI": "1",
        "PYTHONUNBUFFERED": "1",
        "MPLBACKEND": "Agg",
    }
    return kept | quiet | ({} if scratch is None else {"YOLO_CONFIG_DIR": str(scratch)})


def _settle_ultralytics(scratch: Path) -> None:
    """Settings with `sync` (usage reports) off, before Ultralytics writes its own with `sync` on."""
    folder = scratch / "Ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "settings_version": "0.0.8",
        "datasets_dir": str(scratch / "datasets"),
        "weights_dir": str(scratch / "weights"),
        "runs_dir": str(scratch / "runs"),
        "uuid": "0" * 64,
        "sync": False,
        "api_key": "",
        "openai_api_key": "",
        **dict.fromkeys(("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"), False),
        "vscode_msg": False,
        "openvino_msg": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
