"""From facts to the sheet: every figure of the site, then of each camera. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.report import measure_alerts, measure_footage, measure_rest
from pipelines.report.counting import Scope, scope_of
from pipelines.report.facts import Facts
from pipelines.report.measure_rest import masked
from pipelines.report.model import SITE, Chapter, Sheet


def sheet_of(facts: Facts, version: str) -> Sheet:
    """The sheet of `facts`."""
    period = facts.period
    chapters = [_site(facts, scope_of(SITE, facts.cases, period.from_s, period.until_s))]
    chapters += [
        _camera(facts, scope_of(camera, facts.cases, period.from_s, period.until_s), name)
        for camera, name in facts.cameras.items()
    ]
    by_id = {one.incident_id: one for one in (*facts.earlier, *facts.cases)}
    behind = {
        incident_id
        for chapter in chapters
        for group in chapter.groups
        for figure in group.figures
        for one in figure.behind
        for incident_id in one.ids
    }
    by_day, week = _when(facts)
    return Sheet(
        site=facts.site,
        period=period,
        made_s=facts.now_s,
        version=version,
        chapters=tuple(chapters),
        # A sheet is passed on: nobody's whole number plate is in it.
        cases={key: replace(one, plate=masked(one.plate)) for key, one in by_id.items() if key in behind},
        names=dict(facts.cameras),
        by_day=by_day,
        week=week,
        recorded={camera: one.days for camera, one in facts.footage.cameras.items()},
        partial=facts.partial,
    )


def _site(facts: Facts, scope: Scope) -> Chapter:
    groups = (
        measure_footage.cameras(facts, scope),
        measure_alerts.incidents(facts, scope),
        measure_alerts.alerts(facts, scope),
        measure_alerts.rules(facts, scope),
        measure_rest.repetition(facts, scope),
        measure_rest.crowds(facts, scope),
        measure_rest.drills(facts, scope),
        measure_rest.access(facts, scope),
        measure_rest.duties(facts, scope),
    )
    return Chapter(SITE, facts.site, groups)


def _camera(facts: Facts, scope: Scope, name: str) -> Chapter:
    groups = (
        measure_footage.cameras(facts, scope),
        measure_alerts.incidents(facts, scope),
        measure_alerts.alerts(facts, scope),
        measure_alerts.rules(facts, scope),
        measure_rest.repetition(facts, scope),
        measure_rest.crowds(facts, scope),
        measure_rest.access(facts, scope),
    )
    return Chapter(scope.camera, name, groups)


def _when(facts: Facts) -> tuple[Mapping[date, Mapping[str, int]], tuple[tuple[int, ...], ...]]:
    """Incidents by day and kind (no day left out), and by weekday and hour, on the site's clock."""
    period, zone = facts.period, ZoneInfo(facts.period.timezone)
    last = datetime.fromtimestamp(period.until_s - 0.001, zone).date()
    by_day: dict[date, Counter[str]] = defaultdict(Counter)
    day = period.first
    while day <= last:
        by_day[day] = Counter()
        day += timedelta(days=1)
    week = [[0] * 24 for _ in range(7)]
    for one in facts.cases:
        if not one.drill:
            at = datetime.fromtimestamp(one.opened_s, zone)
            by_day[at.date()][one.kind] += 1
            week[at.weekday()][at.hour] += 1
    return {day: dict(counted) for day, counted in by_day.items()}, tuple(tuple(row) for row in week)
