"""Incidents behind a figure, and the question to the history that finds exactly them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipelines.history.sums import quantiles
from pipelines.report.model import SITE, Behind, Said, Spread
from pipelines.store.inspection import Case
from pipelines.store.queries import IncidentFilter


@dataclass(frozen=True, slots=True)
class Scope:
    """The cases of one camera or the site (`camera` SITE), and the question that finds them. `every`: all that the history
    has of it, against which a question is checked."""

    camera: str
    cases: Sequence[Case]
    query: IncidentFilter
    every: Sequence[Case]

    def behind(
        self, role: str, cases: Iterable[Case], asked: IncidentFilter | None = None, of: tuple[Said, ...] = ()
    ) -> Behind:
        """`cases` as what stands behind something. `asked` is kept only when it finds exactly them."""
        ids = tuple(one.incident_id for one in cases)
        found = None if asked is None else [one.incident_id for one in self.every if passes(asked, one)]
        return Behind(role, ids, asked if found is not None and sorted(found) == sorted(ids) else None, of)

    def chosen(self, role: str, of: tuple[Said, ...] = (), **narrower: Any) -> Behind:
        """Those that the scope's question finds when it is narrowed so."""
        query = self.asking(**narrower)
        return self.behind(role, [one for one in self.cases if passes(query, one)], query, of)

    def asking(self, **narrower: Any) -> IncidentFilter:
        """The scope's question, narrowed."""
        return replace(self.query, **narrower)

    def real(self) -> Scope:
        """Without drills."""
        cases = [one for one in self.cases if not one.drill]
        return replace(self, cases=cases, query=replace(self.query, drills=False))


def passes(query: IncidentFilter, case: Case) -> bool:
    """Whether the history's filter lets `case` through: as `pipelines.store.queries.conditions_of`, without `text` and what
    the clock showed, which no figure asks for."""
    return (
        (query.since_s is None or case.opened_s >= query.since_s)
        and (query.until_s is None or case.opened_s < query.until_s)
        and (query.camera is None or case.camera == query.camera)
        and (query.zone is None or case.zone == query.zone)
        and (query.kind is None or case.kind == query.kind)
        and (query.rule is None or case.rule == query.rule)
        and (query.level is None or case.severity == query.level)
        and (query.severity is None or case.severity <= query.severity)
        and (query.state is None or (case.closed_s is None) == (query.state == "open"))
        and (query.verdict is None or case.verdict == query.verdict)
        and (query.drills or not case.drill)
        and (query.cameras is None or case.camera in query.cameras)
    )


def scope_of(camera: str, cases: Sequence[Case], from_s: float, until_s: float) -> Scope:
    """Everything of a camera, or of the site."""
    query = IncidentFilter(since_s=from_s, until_s=until_s, camera=None if camera == SITE else camera)
    mine = [one for one in cases if passes(query, one)]
    return Scope(camera, mine, query, mine)


def spread(seconds: Sequence[float]) -> Spread | None:
    """Median and 95th percentile as in `gatewatch incidents stats`; None of nothing."""
    if not seconds:
        return None
    found = quantiles(np.sort(np.maximum(np.array(seconds, np.float32), 0)))
    return Spread(int(found["count"]), float(found["median_s"]), float(found["p95_s"]))
