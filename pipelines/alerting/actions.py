"""What a person does to an incident, as functions over the store: answer it, judge it, note, silence a rule.

Each is one transaction that leaves who and when. Pages, API and commands call these and nothing else; who may do it is
asked before. An answer concerns the whole thread: every recipient's alert of the incident moves with it. `reference` is an
incident's id, its beginning, or an alert's id; `who` the person, as in the audit. All of them raise BadInput when nothing
has that id, Conflict when somebody was first, Unavailable when the store is away.
"""

from __future__ import annotations

from typing import Any, Final

from pipelines.alerting import by_hand
from pipelines.alerting.alarms import ENDED_BY_A_PERSON
from pipelines.alerting.life import Conflict, State, Verdict, can_move, states_before
from pipelines.errors import BadInput
from pipelines.events.envelope import rfc3339
from pipelines.store import incidents, receipts, snoozes, threads
from pipelines.store.database import Database, Transaction
from pipelines.store.threads import Thread

#: By law a mark "false alarm" on these is justified and kept.
_JUSTIFIED: Final = frozenset({"possible_bullying"})
_LONGEST_SNOOZE_S: Final = 31 * 86400.0
_LONGEST_NOTE: Final = 4000
_DONE: Final = {
    State.ACKNOWLEDGED: "acknowledged",
    State.ON_SITE: "answered on the spot",
    State.CLOSED: "closed",
}


def acknowledge(database: Database, reference: str, *, who: str, now_s: float, note: str = "") -> Thread:
    """ "I have seen it and I see to it." Stops the escalation."""
    return _answer(database, reference, State.ACKNOWLEDGED, who=who, now_s=now_s, note=note)


def on_site(database: Database, reference: str, *, who: str, now_s: float, note: str = "") -> Thread:
    """ "I am there." Acknowledges too, if nobody had."""
    return _answer(database, reference, State.ON_SITE, who=who, now_s=now_s, note=note)


def close(database: Database, reference: str, verdict: Verdict, *, who: str, now_s: float, note: str = "") -> Thread:
    """It is over, and this is what it was. Raises BadInput: the verdict needs a reason (`note`) and has none."""
    return _answer(database, reference, State.CLOSED, who=who, now_s=now_s, note=note, verdict=verdict)


def judge(database: Database, reference: str, verdict: Verdict, *, who: str, now_s: float, note: str = "") -> Thread:
    """A verdict, also on an incident that was closed before: the newest counts, all are kept. Closes what is still open.

    Raises BadInput: the verdict needs a reason (`note`) and has none.
    """
    with database.write() as connection:
        incident, thread = _find(connection, reference)
        if thread.state != State.CLOSED:
            return _move(connection, incident, thread, State.CLOSED, who=who, now_s=now_s, note=note, verdict=verdict)
        _add_verdict(connection, incident, verdict, who=who, now_s=now_s, note=note)
        threads.log(
            connection,
            thread.incident_id,
            f"verdict:{verdict}",
            before=thread.state,
            after=thread.state,
            who=who,
            now_s=now_s,
            note=note,
        )
        return thread


def add_note(database: Database, reference: str, text: str, *, who: str, now_s: float) -> None:
    """Words for whoever looks at the incident later. Raises BadInput: there are none."""
    with database.write() as connection:
        _, thread = _find(connection, reference)
        if not text.strip():
            raise BadInput("a note needs words")
        _check_note(text)
        threads.log(
            connection,
            thread.incident_id,
            "note",
            before=thread.state,
            after=thread.state,
            who=who,
            now_s=now_s,
            note=text,
        )


def snooze(
    database: Database,
    camera: str,
    rule: str,
    *,
    severity: int | None,
    until_s: float,
    reason: str,
    who: str,
    now_s: float,
) -> int:
    """Tell nobody of what `rule` finds on `camera` until `until_s`; returns the snooze's number. Incidents are stored as
    ever, and those of level 1 are told. `severity` is the level that the configuration gives the rule, if it gives one.

    Raises BadInput: no reason, an end that is none, or a rule of level 1.
    """
    if not reason.strip():
        raise BadInput("a snooze needs a reason")
    _check_note(reason)
    if severity == 1:
        raise BadInput(f"{camera}: {rule} is of level 1, and level 1 is never silenced")
    if not now_s < until_s <= now_s + _LONGEST_SNOOZE_S:
        raise BadInput(f"a snooze ends in the future, at most {_LONGEST_SNOOZE_S / 86400:g} days ahead")
    with database.write() as connection:
        return snoozes.put(connection, camera, rule, reason=reason, who=who, now_s=now_s, until_s=until_s)


def unsnooze(database: Database, snooze_id: int, *, who: str, now_s: float) -> None:
    """End a snooze before its time. Raises BadInput: no such one is in force."""
    with database.write() as connection:
        if not snoozes.end(connection, snooze_id, who=who, now_s=now_s):
            raise BadInput(f"no snooze {snooze_id} is in force: `gatewatch alerts snoozes` shows them")


def _answer(
    database: Database,
    reference: str,
    then: State,
    *,
    who: str,
    now_s: float,
    note: str,
    verdict: Verdict | None = None,
) -> Thread:
    with database.write() as connection:
        incident, thread = _find(connection, reference)
        if not can_move(State(thread.state), then):
            raise _conflict(thread, then)
        return _move(connection, incident, thread, then, who=who, now_s=now_s, note=note, verdict=verdict)


def _find(connection: Transaction, reference: str) -> tuple[dict[str, Any], Thread]:
    """The incident and its thread, locked; made now for an incident that was stored before there were threads."""
    incident = threads.incident_of(connection, reference)
    incident_id = incident["incident_id"]
    incidents.lock(connection, [incident_id])
    thread = threads.locked(connection, [incident_id]).get(incident_id)
    if thread is None:
        sent_s = threads.first_sent_s(connection, incident_id)
        thread = Thread(
            incident_id,
            State.PENDING if sent_s is None else State.SENT,
            incident["severity"],
            created_s=incident["received_s"],
            sent_s=sent_s,
        )
        threads.put(connection, [thread])
    return incident, thread


def _move(
    connection: Transaction,
    incident: dict[str, Any],
    thread: Thread,
    then: State,
    *,
    who: str,
    now_s: float,
    note: str,
    verdict: Verdict | None,
) -> Thread:
    _check_note(note)
    incident_id = thread.incident_id
    values: dict[str, Any] = {"state": then.value, f"{then}_s": now_s, f"{then}_by": who}
    if thread.acknowledged_s is None:
        # Whoever does more has seen it too. What is due now is only that the dispatcher counts the answer.
        values |= {"acknowledged_s": now_s, "acknowledged_by": who, "due_s": now_s}
    if verdict is not None:
        _add_verdict(connection, incident, verdict, who=who, now_s=now_s, note=note)
    threads.change(connection, incident_id, **values)
    action = f"closed:{verdict}" if verdict is not None else then.value
    threads.log(connection, incident_id, action, before=thread.state, after=then, who=who, now_s=now_s, note=note)
    moment = {State.ACKNOWLEDGED: {"acknowledged_s": now_s}, State.CLOSED: {"closed_s": now_s}}.get(then, {})
    receipts.move(
        connection,
        sorted(threads.alerts_of(connection, incident_id)),
        states_before(then),
        then,
        now_s=now_s,
        who=who,
        note=note,
        **moment,
    )
    if then is State.CLOSED and incident["rule"] in ENDED_BY_A_PERSON and incident["closed_s"] is None:
        body = by_hand.ended(threads.newest_event(connection, incident_id), now_s)
        threads.end_incident(
            connection, body, revision=body["data"]["revision"], now_s=now_s, reason=by_hand.END_REASON
        )
    moved = threads.get(connection, incident_id)
    assert moved is not None
    return moved


def _add_verdict(
    connection: Transaction, incident: dict[str, Any], verdict: Verdict, *, who: str, now_s: float, note: str
) -> None:
    if verdict is Verdict.FALSE and incident["kind"] in _JUSTIFIED and not note.strip():
        raise BadInput(f'"false" on {incident["kind"]} needs a reason, and is kept: give it as a note')
    _check_note(note)
    threads.add_verdict(connection, incident["incident_id"], verdict, who=who, now_s=now_s, note=note)
    snoozes.note_in_audit(
        connection,
        "verdict",
        f"incident {incident['incident_id']}",
        who=who,
        now_s=now_s,
        detail={"verdict": verdict.value, "note": note},
    )


def _check_note(text: str) -> None:
    if len(text) > _LONGEST_NOTE:
        raise BadInput(f"a note has at most {_LONGEST_NOTE} characters, not {len(text)}")


def _conflict(thread: Thread, then: State) -> Conflict:
    state = State(thread.state)
    first = {
        State.ACKNOWLEDGED: (thread.acknowledged_by, thread.acknowledged_s),
        State.ON_SITE: (thread.on_site_by, thread.on_site_s),
        State.CLOSED: (thread.closed_by, thread.closed_s),
    }
    who, at_s = first[state]
    when = "" if at_s is None else f" at {rfc3339(at_s)}"
    return Conflict(
        f"incident {thread.incident_id} was {_DONE[state]} by {who or 'somebody'}{when}: "
        f"it cannot become {then.replace('_', ' ')} now",
        state,
        who,
        at_s,
    )
