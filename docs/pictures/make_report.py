"""Makes the README's pictures of the inspection sheet from the history of a real `gatewatch demo`.

.venv/bin/python docs/pictures/make_report.py [SECONDS]

The demo's cameras, worker, recorder and dispatcher raise the incidents; nobody sits in its control room, so this program answers
there, with the commands that a person has: some at once, some too late, and it says what each was. Needs Chromium (apt-get
install chromium).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from pipelines.paths import default_data_dir

HERE = Path(__file__).parent
COMMAND = (sys.executable, "-m", "pipelines.cli")
CONFIG = default_data_dir() / "demo" / "gatewatch.yaml"
#: Seconds until somebody answers: the limit of level 2 is 60.
ANSWERED_AFTER_S = (8.0, 25.0, 75.0, 15.0)
PICTURES = {"zh-CN": "report.zh-CN.png", "en": "report.png"}


def main() -> int:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "240"
    demo = subprocess.Popen([*COMMAND, "demo", "--seconds", seconds], stdout=subprocess.DEVNULL)
    first_s: dict[str, float] = {}
    answered: set[str] = set()
    judged: set[str] = set()
    while demo.poll() is None:
        time.sleep(1.0)
        for one in incidents():
            number = list(first_s).index(one) if one in first_s else len(first_s)
            waited_s = time.monotonic() - first_s.setdefault(one, time.monotonic())
            if one not in answered and waited_s > ANSWERED_AFTER_S[number % len(ANSWERED_AFTER_S)]:
                answered.add(one)
                gatewatch("alerts", "acknowledge", one)
            elif one in answered and one not in judged:
                judged.add(one)
                gatewatch("alerts", "onsite", one)
                gatewatch("alerts", "close", one, "--verdict", "true")
    if demo.returncode:
        sys.stderr.write("the demo failed: its history may be incomplete\n")
    with tempfile.TemporaryDirectory() as folder:
        sheets = {language: Path(folder) / f"{language}.html" for language in PICTURES}
        for language, sheet in sheets.items():
            gatewatch("report", "--current", "--language", language, "--out", str(sheet))
        with sync_playwright() as browsers:
            browser = browsers.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1060, "height": 1240})
            for language, sheet in sheets.items():
                page.goto(sheet.as_uri())
                page.screenshot(path=str(HERE / PICTURES[language]))
            browser.close()
    return demo.returncode


def incidents() -> list[str]:
    """Oldest first; none before the store is there."""
    told = gatewatch("incidents", "list", "--json")
    return [one["incident_id"] for one in reversed(json.loads(told or "[]"))]


def gatewatch(*arguments: str) -> str:
    """What the command prints; empty when it refuses."""
    command: Sequence[str] = (*COMMAND, *arguments, "-c", str(CONFIG))
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ).stdout


if __name__ == "__main__":
    sys.exit(main())
