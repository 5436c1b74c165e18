"""The table of sheets that one shift hands to the next."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Double, Index, Integer, String, Table, Text

from pipelines.store.people_schema import metadata

#: A sheet as both shifts signed it. Triggers of the database keep it so: only who takes it over is filled in, once.
handovers: Final = Table(
    "handovers",
    metadata,
    Column("handover_id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("from_s", Double, nullable=False),
    Column("until_s", Double, nullable=False),
    # Ids of the cameras that it is about; null: the whole site.
    Column("cameras", JSON(none_as_null=True)),
    Column("sheet", JSON, nullable=False),
    Column("note", Text, nullable=False),
    # Of all of the above and who gave it when: also in the audit, so that a change would be noticed.
    Column("sha256", String(64), nullable=False),
    Column("given_by", String(128), nullable=False),
    Column("given_s", Double, nullable=False),
    Column("taken_by", String(128)),
    Column("taken_s", Double),
    Column("remark", Text, nullable=False),
    Index("handovers_by_time", "until_s", "handover_id"),
    sqlite_autoincrement=True,
)
