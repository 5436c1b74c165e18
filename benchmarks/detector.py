"""The table of the detector's cost in docs/models.md, measured on this machine: `.venv/bin/python benchmarks/detector.py`."""

from __future__ import annotations

import sys

from pipelines.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "detector", "--pictures", "60", *sys.argv[1:]]))
