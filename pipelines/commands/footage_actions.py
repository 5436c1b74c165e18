"""What the actions of `gatewatch footage` do."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.clock import SystemClock
from pipelines.commands.footage_export import export
from pipelines.commands.options import load_config
from pipelines.config import LoadedConfig
from pipelines.errors import BadInput
from pipelines.recording import ledger, settings
from pipelines.recording.cleaner import Cleaner
from pipelines.recording.coverage import Span
from pipelines.recording.guard import accept_clock, boot_id
from pipelines.recording.heads import stored
from pipelines.recording.holds import Holds
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume, day_of, rfc3339
from pipelines.recording.rebuild import rebuild
from pipelines.recording.reports import parse_time, report
from pipelines.recording.verify import Verifier, verify_heads

_WEEK_MS: Final = 7 * 86_400_000


class Desk:
    """What every action needs: the configuration, the volume, the time."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.loaded: LoadedConfig = load_config(args)
        self.config = self.loaded.config
        self.zone = ZoneInfo(self.config.site.timezone)
        self.clock = SystemClock()
        self.now_ms = round(self.clock.now_s() * 1000)
        self.volume: Volume = settings.open_volume(self.config, create=False)
        self.audit = Journal(self.volume.journal / "audit.jsonl")

    @property
    def actor(self) -> str:
        return str(self.args.who or getpass.getuser())

    def reason(self) -> str:
        if not (self.args.reason or "").strip():
            raise BadInput("--reason is needed: say why; it stands in the audit")
        return str(self.args.reason)

    def cameras(self) -> list[str] | None:
        return self.args.camera.split(",") if self.args.camera else None

    def span(self) -> Span:
        """--from and --to; the last seven days without."""
        start, end = self.args.from_, self.args.to
        to_ms = parse_time(end, self.zone) if end else self.now_ms
        span = Span(parse_time(start, self.zone) if start else to_ms - _WEEK_MS, to_ms)
        if span.to_ms <= span.from_ms:
            raise BadInput(f"--from {start} is not before --to {end or 'now'}")
        return span

    def whole_span(self) -> Span:
        if not self.args.from_ or not self.args.to:
            raise BadInput("--from and --to are needed")
        return self.span()

    def show(self, value: Any, lines: list[str]) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=1) if self.args.json else "\n".join(lines)
        sys.stdout.write(text + "\n")


def run(args: argparse.Namespace) -> int:
    """Returns the exit code."""
    actions: dict[str, Callable[[Desk], int]] = {
        "coverage": _coverage,
        "verify": _verify,
        "plan": _plan,
        "hold": _hold,
        "release": _release,
        "export": export,
        "rebuild": _rebuild,
    }
    return actions[args.action](Desk(args))


def _coverage(desk: Desk) -> int:
    promised = {name: limits.target_ms / 1000 for name, limits in settings.limits(desk.config).items()}
    tolerance_ms = round(desk.config.recording.continuous * 1000)
    with Index.open(desk.volume.index) as index:
        found = report(
            index,
            desk.span(),
            desk.zone,
            desk.now_ms,
            cameras=desk.cameras(),
            promised_s=promised,
            tolerance_ms=tolerance_ms,
        )
    desk.show([one.to_json() for one in found], [line for one in found for line in one.lines(desk.zone)])
    return 0


def _verify(desk: Desk) -> int:
    if desk.args.audit:
        return _verify_journals(desk)
    span = desk.span() if desk.args.from_ or desk.args.to else Span(0, desk.now_ms + 2 * 86_400_000)
    with Index.open(desk.volume.index) as index:
        verifier = Verifier(index, desk.volume)
        days = (day_of(span.from_ms), day_of(span.to_ms))
        verdicts = {
            camera: verifier.run(camera, days, hashes=not desk.args.quick)
            for camera in desk.cameras() or list(ledger.cameras(index))
        }
        findings = [finding for verdict in verdicts.values() for finding in verdict.findings]
        findings += verify_heads(index, settings.signer(desk.config).public_key, desk.args.heads)
    checked = sum(verdict.segments for verdict in verdicts.values())
    lines = [f"{f.what}: {f.camera} {f.day} number {f.seq} {f.path}: {f.detail}" for f in findings]
    lines.append(
        f"{checked} segments, {sum(v.heads for v in verdicts.values())} heads: {len(findings) or 'no'} fault(s)"
    )
    body = {
        "segments": checked,
        "deleted": sum(verdict.deleted for verdict in verdicts.values()),
        "heads": sum(verdict.heads for verdict in verdicts.values()),
        "findings": [finding.to_json() for finding in findings],
    }
    desk.show(body, lines)
    return 1 if findings else 0


def _verify_journals(desk: Desk) -> int:
    signed: dict[str, dict[int, str]] = {"audit": {}, "ledger": {}}
    if desk.volume.index.exists():
        with Index.open(desk.volume.index) as index:
            for head in stored(index):
                for name, (number, digest) in head.body["journals"].items():
                    signed[name][number] = digest
    faults = []
    for name, ends in signed.items():
        journal = Journal(desk.volume.journal / f"{name}.jsonl")
        faults += [{"journal": name, "line": fault.line, "what": fault.what} for fault in journal.verify(ends=ends)]
    lines = [f"{fault['journal']} line {fault['line']}: {fault['what']}" for fault in faults]
    entries = desk.audit.end()[0]
    desk.show(
        {"entries": entries, "faults": faults},
        [*lines, f"{entries} entries in the audit: {len(faults) or 'no'} fault(s)"],
    )
    return 1 if faults else 0


def _plan(desk: Desk) -> int:
    cleaner = Cleaner(desk.volume, settings.cleaning(desk.config), desk.clock)
    with Index.open(desk.volume.index, durable=True) as index:
        if desk.args.accept_clock:
            reason = desk.reason()
            desk.audit.append(at_ms=desk.now_ms, action="accept_clock", actor=desk.actor, reason=reason, data={})
            accept_clock(index, desk.clock, boot_id())
        outcome = cleaner.dry_run(index)
    if outcome.plan is None:
        desk.show({"refused": outcome.refused, "deletions": []}, [f"nothing would be deleted: {outcome.refused}"])
        return 1
    plan, ahead = outcome.plan, outcome.forecast
    deletions = [
        {
            "camera": deletion.camera,
            "from": rfc3339(deletion.row.start_ms),
            "to": rfc3339(deletion.row.end_ms),
            "bytes": deletion.row.size_bytes,
            "rule": deletion.rule.value,
        }
        for deletion in plan.deletions
    ]
    body = {
        "refused": None,
        "deletions": deletions,
        "bytes": plan.bytes,
        "postponed": plan.postponed,
        "held": plan.held,
        "considered": plan.considered,
        "incident_files": [
            {"kind": file.kind, "incident_id": file.incident_id, "camera": file.camera, "name": file.path.name}
            for file in outcome.files
        ],
        "short_bytes": plan.short_bytes,
        "days_to_full": None if ahead is None else ahead.days_to_full,
        "floor_in_danger": ahead is not None and ahead.floor_in_danger,
    }
    lines = [
        f"{d.camera}  {rfc3339(d.row.start_ms)}  {d.row.size_bytes / 1e6:.1f} MB  {d.rule.value}"
        for d in plan.deletions
    ]
    lines.append(
        f"{len(deletions)} of {plan.considered} segments ({plan.bytes / 1e9:.2f} GB) would be deleted now,"
        f" {plan.postponed} in later runs; {plan.held} past their floor are held"
    )
    if outcome.files:
        lines.append(f"{len(outcome.files)} clips and pictures of incidents would be deleted now")
    if plan.short_bytes:
        lines.append(f"the floor is reached: {plan.short_bytes / 1e9:.2f} GB are missing of reserve_free")
    if ahead is not None and ahead.days_to_full is not None:
        lines.append(f"at this rate the volume is full in {ahead.days_to_full:.1f} days")
    desk.show(body, lines)
    return 0


def _hold(desk: Desk) -> int:
    with Index.open(desk.volume.index, durable=True) as index:
        holds = Holds(index, desk.audit)
        if desk.args.list:
            found = [hold.to_json(desk.now_ms) for hold in holds.all()]
            lines = [
                f"{h['hold_id']}  {'in force' if h['in_force'] else 'over':8}  {','.join(h['cameras'])}  {h['from']} to {h['to']}"
                f"  {h['owner']}: {h['reason']}"
                for h in found
            ]
            desk.show(found, lines or ["nothing is held"])
            return 0
        cameras = desk.cameras()
        unknown = sorted(set(cameras or ()) - set(ledger.cameras(index)) - set(desk.config.cameras))
        if not cameras or unknown:
            raise BadInput(
                f"--camera: {', '.join(unknown) or 'none given'}; there are {', '.join(ledger.cameras(index))}"
            )
        if not desk.args.owner:
            raise BadInput("--owner is needed: on whose behalf it is held")
        expires = parse_time(desk.args.expires, desk.zone) if desk.args.expires else None
        placed = holds.place(
            cameras,
            desk.whole_span(),
            reason=desk.reason(),
            owner=desk.args.owner,
            actor=desk.actor,
            now_ms=desk.now_ms,
            expires_ms=expires,
        )
    lines = [f"held as {placed.hold.hold_id}"]
    if placed.too_late:
        lines.append(f"too late for {placed.too_late} segments, whose deletion had begun")
    desk.show({**placed.hold.to_json(desk.now_ms), "too_late": placed.too_late}, lines)
    return 0


def _release(desk: Desk) -> int:
    with Index.open(desk.volume.index, durable=True) as index:
        hold = Holds(index, desk.audit).release(
            desk.args.hold_id, reason=desk.reason(), actor=desk.actor, now_ms=desk.now_ms
        )
    desk.show(hold.to_json(desk.now_ms), [f"released {hold.hold_id}"])
    return 0


def _rebuild(desk: Desk) -> int:
    try:
        found = rebuild(desk.volume, desk.clock)
    except OSError as error:
        raise BadInput(f"{desk.volume.root}: {error.strerror}; is the recorder stopped?") from error
    desk.audit.append(
        at_ms=desk.now_ms, action="rebuild", actor=getpass.getuser(), reason="", data={"adopted": len(found.adopted)}
    )
    desk.show(
        {"adopted": len(found.adopted), "quarantined": found.quarantined},
        [f"{len(found.adopted)} segments taken in, {len(found.quarantined)} into quarantine"],
    )
    return 0
