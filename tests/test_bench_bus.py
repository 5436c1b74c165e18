from __future__ import annotations

import json
import subprocess
import sys


def test_it_measures_the_real_chain_and_names_its_figures() -> None:
    command = [sys.executable, "-m", "pipelines.cli", "bench", "bus", "--json", "--seconds", "1", "--burst", "64"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert 0 < figures["p50_ms_at_10"] <= figures["p95_ms_at_10"]
    assert 0 < figures["p50_ms_at_200"] <= figures["p95_ms_at_200"]
    assert figures["sustained_per_s"] > 0
    assert (figures["messages_at_10"], figures["messages_at_200"], figures["doubles"]) == (10, 200, 0)
