"""What other rules would have raised and lost, against what was raised and what people said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.tracks.replay import Replayed
from vision.geometry import Box, iou
from vision.incident import Incident

#: Boxes of one parked vehicle overlap at least this much, whichever rule told of it.
_SAME_VEHICLE_IOU: Final = 0.2
#: A row of the record: incident_id, kind, rule, zone, severity, first_seen_s, opened_s, closed_s, box_norm, verdict, ...
Row = Mapping[str, Any]


@dataclass(slots=True)
class Comparison:
    """One camera. `kept`: raised then and by these rules; `raised`: only by these rules; `lost`: only then;
    `not_replayed`: then, where no tracks were kept.
    """

    replayed: Replayed
    kept: list[tuple[Row, Incident]] = field(default_factory=list)
    raised: list[Incident] = field(default_factory=list)
    lost: list[Row] = field(default_factory=list)
    not_replayed: list[Row] = field(default_factory=list)


def compare(replayed: Replayed, record: Sequence[Row]) -> Comparison:
    """`record` are the camera's incidents of which something may fall into the range.

    Two are the same when their ids are, or when they are of one kind, overlap in time and, for vehicles, in place.
    """
    out = Comparison(replayed)
    pairs = sorted(
        (_likeness(row, incident), row["incident_id"], incident.incident_id, row, incident)
        for row in record
        for incident in replayed.incidents
        if _may_be_same(row, incident)
    ) if record and replayed.incidents else []  # fmt: skip
    taken_rows: set[str] = set()
    taken: set[str] = set()
    for _, row_id, incident_id, row, incident in pairs:
        if row_id in taken_rows or incident_id in taken:
            continue
        taken_rows.add(row_id)
        taken.add(incident_id)
        if _inside(replayed, row["opened_s"]) or _inside(replayed, incident.opened_s):
            out.kept.append((row, incident))
    out.kept.sort(key=lambda pair: (pair[0]["opened_s"], pair[0]["incident_id"]))
    out.raised = [one for one in replayed.incidents if one.incident_id not in taken and _inside(replayed, one.opened_s)]
    for row in sorted(record, key=lambda one: (one["opened_s"], one["incident_id"])):
        if row["incident_id"] in taken_rows or not _inside(replayed, row["opened_s"]):
            continue
        in_hole = any(hole.from_s <= row["opened_s"] <= hole.to_s for hole in replayed.holes)
        (out.not_replayed if in_hole else out.lost).append(row)
    return out


def verdicts(rows: Sequence[Row]) -> dict[str, int]:
    """How many of `rows` people judged what; `none` for those that nobody judged."""
    counted = Counter(str(row["verdict"] or "none") for row in rows)
    return {name: counted[name] for name in sorted(counted)}


def _inside(replayed: Replayed, opened_s: float | None) -> bool:
    return opened_s is not None and replayed.from_s <= opened_s < replayed.to_s


def _may_be_same(row: Row, incident: Incident) -> bool:
    if row["incident_id"] == incident.incident_id:
        return True
    if row["kind"] != incident.kind:
        return False
    row_end_s = float("inf") if row["closed_s"] is None else row["closed_s"]
    end_s = float("inf") if incident.closed_s is None else incident.closed_s
    if row["first_seen_s"] > end_s or incident.first_seen_s > row_end_s:
        return False
    return incident.kind != "illegal_parking" or _overlap(row["box_norm"], incident.box_norm) >= _SAME_VEHICLE_IOU


def _likeness(row: Row, incident: Incident) -> tuple[bool, bool, float, float]:
    """Sorts the likest first."""
    return (
        row["incident_id"] != incident.incident_id,
        (row["rule"], row["zone"]) != (incident.rule_id, incident.zone_id),
        -round(_overlap(row["box_norm"], incident.box_norm), 2),
        abs(row["opened_s"] - (incident.opened_s or 0.0)),
    )


def _overlap(a: Sequence[float] | None, b: Box | None) -> float:
    return float(iou([tuple(a)], [b])[0, 0]) if a is not None and b is not None else 0.0
