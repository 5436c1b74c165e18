"""What the record keeps of the recorded main stream's pictures."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.events.envelope import incident_event
from pipelines.store import incidents, stills
from pipelines.store.database import Database
from pipelines.store.queries import IncidentFilter, list_incidents
from pipelines.store.stills import with_stills
from pipelines.testing import an_incident


@pytest.mark.parametrize("made", [False, True])
def test_in_both_kinds_of_store_a_still_is_kept_once_and_no_message_takes_it_away(store: Database, made: bool) -> None:
    store.migrate()
    told = [
        incident_event(an_incident("case-1", number), "v1", "North", [{"role": "limit", "sha256": "a"}])
        for number in (1, 2)
    ]
    still = (
        {"role": "limit", "of": "a", "path": "x.jpg"}
        if made
        else {"role": "limit", "of": "a", "missing": "gap", "detail": ""}
    )

    def main() -> Any:
        with store.read() as connection:
            return with_stills(list_incidents(connection, IncidentFilter()).rows[0])[0]["main"]

    with store.write() as connection:
        incidents.apply(connection, [incidents.notice_of(told[0])], 1.0)
    assert main() is None
    for _ in range(2):
        with store.write() as connection:
            stills.put(connection, "case-1", still)
    with store.write() as connection:
        stills.put(connection, "gone", still)
        incidents.apply(connection, [incidents.notice_of(one) for one in told], 2.0)
    assert main() == still
    with store.read() as connection:
        (row,) = list_incidents(connection, IncidentFilter()).rows
    assert (row["revision"], row["stills"]) == (2, [still])
