"""Figures of incidents and alerts: how many, answered in time, reached nobody; and how often each rule was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pipelines.config.alerting import SYSTEM_KINDS
from pipelines.history.stats import wilson
from pipelines.report.counting import Scope, spread
from pipelines.report.facts import CAMERA_FAULTS, Facts
from pipelines.report.model import SITE, Behind, Count, Figure, Group, Precision, Said, Share
from pipelines.store.inspection import Case
from pipelines.store.queries import IncidentFilter

#: Alarms about the alerting itself are no alerts that reached nobody.
_OF_THE_ALERTING: Final = ("alert_unreached", "drill_failed", "message_lost")


def incidents(facts: Facts, scope: Scope) -> Group:
    """How many, by kind and level. Drills are none."""
    real = scope.real()
    kinds = Counter(one.kind for one in real.cases)
    found = real.chosen("all")
    figures = [Figure("incidents", Count(len(found.ids), "incidents"), "record", behind=_some(found))]
    for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])):
        of = (Said("kind", kind),)
        found = real.chosen("all", kind=kind)
        figures.append(Figure("incidents_of", Count(count, "incidents"), "record", of=of, behind=(found,)))
    return Group("incidents", tuple(figures))


def alerts(facts: Facts, scope: Scope) -> Group:
    """How they were answered. Counted are incidents, each once, however many people were told."""
    real = scope.real()
    told = [one for one in real.cases if told_s(one) is not None]
    untold = [one for one in real.cases if one.begun_s is not None and told_s(one) is None]
    levels = sorted({one.severity for one in told})
    figures = [_in_time(facts, real, told)]
    if len(levels) > 1:
        figures += [_in_time(facts, real, [one for one in told if one.severity == level], level) for level in levels]
    figures += [
        _took(real, "acknowledge", told, lambda one: one.acknowledged_s),
        _took(real, "on_site", told, lambda one: one.on_site_s),
        _took(real, "close", told, lambda one: one.answered_s),
        _took(real, "reach", told, lambda one: one.sent_s),
        _unreached(facts, real, told),
        Figure("untold", Count(len(untold), "incidents"), "record", behind=_some(real.behind("untold", untold))),
    ]
    if scope.camera == SITE and not facts.partial:
        alarms = real.chosen("all", kind="alert_unreached")
        figures.append(Figure("unreached_alarms", Count(len(alarms.ids), "alarms"), "record", behind=_some(alarms)))
    return Group("alerts", tuple(figures))


def told_s(case: Case) -> float | None:
    """When people were told first: what a limit counts from. None: nobody was."""
    return case.told_s if case.told_s is not None else case.begun_s if case.sent_s is not None else None


def _in_time(facts: Facts, scope: Scope, told: list[Case], level: int | None = None) -> Figure:
    """Within the limit of its level. Those whose limit has not run out yet are counted by nobody."""
    groups: dict[str, list[Case]] = {"in_time": [], "late": [], "unanswered": [], "still_running": []}
    for one in told:
        since_s, limit_s = told_s(one) or 0.0, facts.limits_s[one.severity]
        if one.acknowledged_s is not None:
            groups["in_time" if one.acknowledged_s - since_s <= limit_s else "late"].append(one)
        else:
            groups["unanswered" if facts.now_s - since_s > limit_s else "still_running"].append(one)
    due = len(groups["in_time"]) + len(groups["late"]) + len(groups["unanswered"])
    key = "acknowledged" if level is None else "acknowledged_of"
    of = () if level is None else (Said("level", level),)
    asked = scope.asking(level=level)
    behind = tuple(scope.behind(role, cases, asked) for role, cases in groups.items() if cases)
    limits = sorted({one.severity for one in told})
    notes = tuple(("limit", (Said("level", one), Said("seconds", facts.limits_s[one]))) for one in limits)
    if len(limits) > 1:
        notes = ()  # each stands with its own level below
    if not due:
        return Figure(key, None, "record", "none_due" if told else "none_told", of, behind)
    return Figure(key, Share(len(groups["in_time"]), due, "incidents"), "record", "", of, behind, notes)


def _took(scope: Scope, key: str, told: list[Case], moment: Callable[[Case], float | None]) -> Figure:
    done = [one for one in told if moment(one) is not None]
    value = spread([(moment(one) or 0.0) - (told_s(one) or 0.0) for one in done])
    behind = _some(scope.behind("all", done, scope.query))
    return Figure(key, value, "record", "" if value else f"none_{key}" if told else "none_told", behind=behind)


def _unreached(facts: Facts, scope: Scope, told: list[Case]) -> Figure:
    """An alarm was raised about these, or one of their messages was given up for good."""
    if not told:
        return Figure("unreached", None, "record", "none_told")
    alarmed = [one for one in told if one.alarmed_s is not None and one.kind not in _OF_THE_ALERTING]
    lost = [one for one in told if one.incident_id in facts.undelivered]
    behind = _some(scope.behind("unreached", alarmed), scope.behind("undelivered", lost))
    return Figure("unreached", Count(len(alarmed), "incidents"), "record", behind=behind)


def rules(facts: Facts, scope: Scope) -> Group:
    """How often each rule was right, where a person judged; of the site by kind, for rules are a camera's own."""
    real = scope.real()
    figures = []
    site = scope.camera == SITE
    found = [one for one in real.cases if one.kind not in _NO_RULE]
    for kind, zone, rule in sorted({(one.kind, *(("", "") if site else (one.zone, one.rule))) for one in found}):
        of: tuple[Said, ...] = (Said("kind", kind),) + ((Said("zone", zone),) if zone else ())
        mine = [one for one in found if one.kind == kind and (site or (one.zone, one.rule) == (zone, rule))]
        # A rule's name begins with its kind; one that has a name of its own is called by it.
        if rule and rule not in (f"{kind}:{zone}", kind):
            of += (Said("text", rule),)
        asked = real.asking(kind=kind, zone=zone or None, rule=rule or None)
        behind = _some(*(_judged(real, mine, word, asked) for word in VERDICTS))
        right, wrong = (sum(one.verdict == word for one in mine) for word in ("true", "false"))
        low, high = wilson(right, right + wrong)
        value = Precision(right, wrong, low, high) if right + wrong else None
        figures.append(Figure("precision", value, "record", "" if value else "none_judged", of, behind))
    if not figures:
        figures.append(Figure("precision", None, "record", "no_rule_incidents"))
    return Group("rules", tuple(figures))


#: What no rule of a camera made; what a person raised by hand is judged as everything else.
_NO_RULE: Final = frozenset(SYSTEM_KINDS) - {"other"} | {"overload", *CAMERA_FAULTS}
#: In the order in which they are shown.
VERDICTS: Final = ("true", "false", "duplicate", "drill", "unsure", "none")


def _judged(scope: Scope, mine: list[Case], word: str, asked: IncidentFilter) -> Behind:
    cases = [one for one in mine if one.verdict == word]
    return scope.behind(f"verdict_{word}", cases, replace(asked, verdict=word))


def _some(*behind: Behind) -> tuple[Behind, ...]:
    """Those behind which there is something."""
    return tuple(one for one in behind if one.ids)
