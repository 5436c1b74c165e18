"""Incidents as a file for other programs: CSV, JSON lines, JSON, Parquet; written as they are read, in constant memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import IO, Any, Final, Literal
from zoneinfo import ZoneInfo

from pipelines.errors import BadInput
from pipelines.events.envelope import rfc3339
from pipelines.store.history import Answer

Format = Literal["csv", "json", "jsonl", "parquet"]
FORMATS: Final[tuple[Format, ...]] = ("csv", "json", "jsonl", "parquet")
_PORTION: Final = 10_000
#: What a spreadsheet takes for a formula, also in the full-width forms that Chinese input methods make.
_FORMULA: Final = frozenset("=+-@\t\r\n＝＋－＠")
#: Name -> kind of value, in the order of the columns. `_at` is UTC (RFC 3339), `opened_local` the site's clock.
FIELDS: Final = {
    "incident_id": "text",
    "kind": "text",
    "level": "whole",
    "camera": "text",
    "camera_name": "text",
    "zone": "text",
    "rule": "text",
    "opened_local": "text",
    "first_seen_at": "text",
    "opened_at": "text",
    "closed_at": "text",
    "close_reason": "text",
    "lasted_s": "number",
    "score": "number",
    "drill": "truth",
    "verdict": "text",
    "acknowledged_at": "text",
    "on_site_at": "text",
    "answered_at": "text",
    "acknowledge_s": "number",
    "on_site_s": "number",
    "answer_s": "number",
    "evidence": "text",
    "config_version": "text",
}


def flattened(found: Iterable[tuple[dict[str, Any], Answer]], timezone: str) -> Iterator[dict[str, Any]]:
    """What `pipelines.store.history.newest_first` gives, with FIELDS as keys."""
    zone = ZoneInfo(timezone)
    for row, answer in found:
        yield _flat(row, answer, zone)


def write(found: Iterator[dict[str, Any]], kind: Format, out: IO[bytes], *, bom: bool = False) -> int:
    """Write `found`; returns how many rows there were. `bom`: before CSV, so that Excel reads it as UTF-8.

    Raises: BadInput: Parquet without pyarrow.
    """
    return _WRITERS[kind](found, out, bom)


def check_parquet() -> None:
    """Raises BadInput when Parquet cannot be written here; better before the file is begun."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        raise BadInput(
            "Parquet needs the package pyarrow: pip install 'gatewatch[analysis]', or ask for csv"
        ) from error


def safe_cell(value: Any) -> Any:
    """As CSV holds it: text that a spreadsheet would run as a formula begins with an apostrophe."""
    if isinstance(value, str) and value[:1] in _FORMULA and value:
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _flat(row: dict[str, Any], answer: Answer, zone: ZoneInfo) -> dict[str, Any]:
    begun_s, acknowledged_s, on_site_s, answered_s = answer

    def at(time_s: float | None) -> str | None:
        return None if time_s is None else rfc3339(time_s)

    def after(time_s: float | None, since_s: float | None) -> float | None:
        return None if time_s is None or since_s is None else round(time_s - since_s, 3)

    return {
        "incident_id": row["incident_id"],
        "kind": row["kind"],
        "level": row["severity"],
        "camera": row["camera"],
        "camera_name": row["camera_name"],
        "zone": row["zone"],
        "rule": row["rule"],
        "opened_local": datetime.fromtimestamp(row["opened_s"], zone).isoformat(sep=" ", timespec="seconds"),
        "first_seen_at": at(row["first_seen_s"]),
        "opened_at": at(row["opened_s"]),
        "closed_at": at(row["closed_s"]),
        "close_reason": row["close_reason"],
        "lasted_s": after(row["closed_s"], row["opened_s"]),
        "score": row["score"],
        "drill": bool(row["drill"]),
        "verdict": row["verdict"],
        "acknowledged_at": at(acknowledged_s),
        "on_site_at": at(on_site_s),
        "answered_at": at(answered_s),
        "acknowledge_s": after(acknowledged_s, begun_s),
        "on_site_s": after(on_site_s, begun_s),
        "answer_s": after(answered_s, begun_s),
        "evidence": json.dumps(row["evidence"], ensure_ascii=False, sort_keys=True),
        "config_version": row["config_version"],
    }


def _csv(found: Iterator[dict[str, Any]], out: IO[bytes], bom: bool) -> int:
    text = io.TextIOWrapper(out, "utf-8-sig" if bom else "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(FIELDS)
    count = 0
    for row in found:
        writer.writerow([safe_cell(row[name]) for name in FIELDS])
        count += 1
    text.flush()
    text.detach()
    return count


def _jsonl(found: Iterator[dict[str, Any]], out: IO[bytes], _bom: bool) -> int:
    count = 0
    for row in found:
        out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        count += 1
    return count


def _json(found: Iterator[dict[str, Any]], out: IO[bytes], _bom: bool) -> int:
    count = 0
    for row in found:
        out.write(b"[\n" if count == 0 else b",\n")
        out.write(json.dumps(row, ensure_ascii=False).encode())
        count += 1
    out.write(b"\n]\n" if count else b"[]\n")
    return count


def _parquet(found: Iterator[dict[str, Any]], out: IO[bytes], _bom: bool) -> int:
    check_parquet()
    import pyarrow
    from pyarrow import parquet

    types = {
        "text": pyarrow.string(),
        "whole": pyarrow.int32(),
        "number": pyarrow.float64(),
        "truth": pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in FIELDS.items()])
    count = 0
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        portion: list[dict[str, Any]] = []
        for row in found:
            portion.append(row)
            count += 1
            if len(portion) == _PORTION:
                writer.write_table(pyarrow.Table.from_pylist(portion, schema))
                portion = []
        if portion or not count:
            writer.write_table(pyarrow.Table.from_pylist(portion, schema))
    return count


_WRITERS: Final[dict[Format, Callable[[Iterator[dict[str, Any]], IO[bytes], bool], int]]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
