"""What a rule of illegal parking allows."""

from __future__ import annotations

from dataclasses import dataclass

from vision import coco


@dataclass(frozen=True)
class Parameters:
    """`after_s`: how long standing is allowed. `warn_after_s`: when to warn before that, None for no warning.

    `classes`: COCO classes that the rule is about, by the majority vote over a case. `severity` as in `Incident`.
    """

    after_s: float
    warn_after_s: float | None = None
    classes: frozenset[int] = coco.VEHICLES
    severity: int = 2
