"""Small pictures of a sheet as SVG: bars by day, a week by hours, completeness by day. Every text in them is escaped."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from html import escape
from typing import Final

from pipelines.report.model import Sheet
from pipelines.report.spoken import Speaker, percent
from pipelines.store.queries import IncidentFilter
from pipelines.wording import word

#: Told apart in print and by most who see colours otherwise; the last is for all further kinds.
COLOURS: Final = ("#2f6690", "#d98c3f", "#7a5195", "#4d8b57", "#b5484f", "#8a8f98")
_WIDE: Final = 720
#: From complete to nothing.
_RECORDED: Final = ((0.9999, "#4d8b57"), (0.99, "#8fb996"), (0.95, "#d9c25f"), (0.5, "#d98c3f"), (-1.0, "#b5484f"))


def by_day(sheet: Sheet, speaker: Speaker) -> str:
    """Incidents a day, by kind; empty when there is nothing."""
    counted: dict[str, int] = {}
    for kinds in sheet.by_day.values():
        for kind, number in kinds.items():
            counted[kind] = counted.get(kind, 0) + number
    if not counted:
        return ""
    order = sorted(counted, key=lambda kind: (-counted[kind], kind))
    colour = {kind: COLOURS[min(at, len(COLOURS) - 1)] for at, kind in enumerate(order)}
    most = max(sum(kinds.values()) for kinds in sheet.by_day.values())
    days = list(sheet.by_day)
    height, step = 130, _WIDE / len(days)
    parts: list[str] = []
    for at, day in enumerate(days):
        top = float(height)
        for kind in order:
            number = sheet.by_day[day].get(kind, 0)
            if not number:
                continue
            tall = height * number / most
            top -= tall
            title = f"{day.isoformat()}: {word(speaker.language, f'kind.{kind}')} {number}"
            begins_s, ends_s = sheet.period.seconds_of(day)
            asked = IncidentFilter(since_s=begins_s, until_s=ends_s, kind=kind, drills=False)
            box = _box(at * step + step * 0.1, top, step * 0.8, tall, colour[kind], title)
            parts.append(_link(speaker.asked(asked), box, number))
        if (whole := sum(sheet.by_day[day].values())) and len(days) <= 31:
            parts.append(_text(at * step + step / 2, top - 3, str(whole)))
        if _labelled(at, len(days)):
            parts.append(_text(at * step + step / 2, height + 14, _short(day, len(days))))
    legend = [
        f'<span class="key"><i style="background:{colour[kind]}"></i>'
        f"{escape(word(speaker.language, f'kind.{kind}'))} {counted[kind]}</span>"
        for kind in order
    ]
    return f'{_svg(-14, height + 34, parts)}<p class="legend">{"".join(legend)}</p>'


def by_hour(sheet: Sheet, speaker: Speaker) -> str:
    """A week of hours; empty when there is nothing."""
    most = max(max(row) for row in sheet.week)
    if not most:
        return ""
    left, step, tall = 44, (_WIDE - 44) / 24, 17
    parts: list[str] = []
    for at, name in enumerate(speaker.text("weekdays").split()):
        parts.append(_text(left - 8, at * tall + 13, name, "end"))
        for hour, number in enumerate(sheet.week[at]):
            shade = "#eef1f4" if not number else _shade(number / most)
            title = f"{name} {hour:02d}:00: {number}"
            box = _box(left + hour * step + 1, at * tall + 1, step - 2, tall - 2, shade, title)
            if number:
                ink = "#ffffff" if number / most > 0.55 else "#1d2730"
                box += _text(left + hour * step + step / 2, at * tall + 13, str(number), ink=ink)
                period = IncidentFilter(since_s=sheet.period.from_s, until_s=sheet.period.until_s, drills=False)
                asked = replace(period, weekday=at + 1, hour=hour)
                box = _link(speaker.asked(asked), box, number)
            parts.append(box)
    parts += [_text(left + hour * step + step / 2, 7 * tall + 13, f"{hour:02d}") for hour in range(0, 24, 2)]
    return _svg(0, 7 * tall + 18, parts)


def recorded(sheet: Sheet, speaker: Speaker) -> str:
    """Each camera's days, coloured by how complete they are; empty when no camera is in the ledger."""
    if not sheet.recorded:
        return ""
    days = list(sheet.by_day)
    left, tall = 150, 18
    step = (_WIDE - left) / len(days)
    parts: list[str] = []
    for at, (camera, complete) in enumerate(sorted(sheet.recorded.items())):
        name = speaker.camera(camera)
        parts.append(_text(left - 8, at * tall + 13, name if len(name) <= 20 else f"{name[:19]}…", "end"))
        for column, day in enumerate(days):
            share = complete.get(day)
            colour = "#eef1f4" if share is None else next(ink for least, ink in _RECORDED if share >= least)
            said = speaker.text("missing") if share is None else percent(share)
            title = f"{name} {day.isoformat()}: {said}"
            parts.append(_box(left + column * step + 0.5, at * tall + 2, max(1.0, step - 1), tall - 4, colour, title))
            if share is not None and step >= 46:
                ink = "#ffffff" if share >= 0.9999 or share < 0.5 else "#1d2730"
                parts.append(_text(left + column * step + step / 2, at * tall + 13, percent(share), ink=ink))
    foot = len(sheet.recorded) * tall
    parts += [
        _text(left + column * step + step / 2, foot + 13, _short(day, len(days)))
        for column, day in enumerate(days)
        if _labelled(column, len(days))
    ]
    return _svg(0, foot + 18, parts)


def _labelled(at: int, days: int) -> bool:
    return at % max(1, -(-days // 14)) == 0


def _short(day: date, days: int) -> str:
    return f"{day:%m-%d}" if days > 1 else day.isoformat()


def _shade(part: float) -> str:
    """From pale to the strong colour, in steps that can be told apart."""
    low, high = (219, 230, 240), (47, 102, 144)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(low, high, strict=True))


def _box(left: float, top: float, wide: float, tall: float, colour: str, title: str) -> str:
    where = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{tall:.1f}"'
    return f'<rect {where} rx="1.5" fill="{colour}"><title>{escape(title)}</title></rect>'


def _link(href: str, inside: str, count: int) -> str:
    return f'<a class="asks" data-incidents="{count}" href="{escape(href)}">{inside}</a>'


def _text(left: float, base: float, words: str, anchor: str = "middle", ink: str = "#5b6670") -> str:
    return f'<text x="{left:.1f}" y="{base:.1f}" text-anchor="{anchor}" fill="{ink}">{escape(words)}</text>'


def _svg(top: float, tall: float, parts: list[str]) -> str:
    return f'<svg viewBox="0 {top:g} {_WIDE} {tall:g}" role="img">{"".join(parts)}</svg>'
