"""The collector of garbage in a process that lives for months."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from pipelines.workers import garbage

class Ring:
    def __init__(self):
        self.me = self

gc.disable()
before = weakref.ref(Ring())
gc.enable()
garbage.look_seldom()
assert before() is None, "what was garbage before went"
assert gc.get_freeze_count() > 1000, "what stays is not looked through"
rings = [weakref.ref(Ring()) for _ in range(100_000)]
left = sum(ring() is not None for ring in rings)
assert 0 < left < 50_000, left

stays = Ring()
garbage.look_seldom()
stays = weakref.ref(stays)
gc.collect()
assert stays() is not None, "not looked through"
garbage.look_seldom()
assert stays() is None, "what stayed until now is no longer needed by the next trial of a bench"
"""


def test_what_stays_is_not_looked_through_and_what_is_made_and_lost_later_still_goes() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)
