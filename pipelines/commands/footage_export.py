"""`gatewatch footage export`: which footage, which incidents with their pictures, and the package around them.

The store of incidents is asked here and nowhere below: a package of footage can be made while it is away.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.commands.site import database_of
from pipelines.errors import BadInput, GatewatchError
from pipelines.files import inside
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import settings
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.layout import rfc3339
from pipelines.recording.package import Exporter, IncidentFiles, Request

if TYPE_CHECKING:
    from pipelines.commands.footage_actions import Desk
    from pipelines.store.database import Database

#: An incident that was still open is looked for this far back.
_LOOK_BACK_S: Final = 7 * 86400.0
#: Of an incident that is open still, so much is exported after it opened.
_OPEN_S: Final = 30.0
#: Who was told and who answered concerns the school, not whoever receives footage.
_NOT_FOOTAGE: Final = ("alerts", "thread", "log", "verdicts")


@dataclass(slots=True)
class _Wanted:
    """Which footage, with the incidents in it. `notes`: what a person should be told of them."""

    camera: str
    span: Span
    incidents: list[IncidentFiles] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def export(desk: Desk) -> int:
    """Returns the exit code."""
    args = desk.args
    reason = desk.reason()
    wanted = _wanted(desk)
    kind = "evidence" if args.evidence else "blurred"
    target = args.out or Path(f"{wanted.camera}-{rfc3339(wanted.span.from_ms)[:19].replace(':', '')}-{kind}")
    versions = {
        "gatewatch": version("gatewatch"),
        "configuration": desk.loaded.version,
        "model": desk.config.detector.model,
        "rules": ", ".join(sorted({str(one.body.get("config_version", "?")) for one in wanted.incidents})),
    }
    request = Request(wanted.camera, wanted.span, reason, desk.actor, versions, wanted.incidents)
    with Index.open(desk.volume.index) as index:
        exporter = Exporter(index, desk.volume, Ffmpeg.find(desk.config.ffmpeg), settings.signer(desk.config))
        if args.evidence:
            manifest = exporter.evidence(request, target, desk.now_ms)
        else:
            from pipelines.commands.footage_blur import finder

            find, model = finder(desk.config)
            named = replace(request, versions={**versions, "detector": model})
            manifest = exporter.blurred(named, target, desk.now_ms, find)
    desk.show(
        {"path": str(target), "manifest": manifest, "notes": wanted.notes}, _lines(kind, wanted, target, manifest)
    )
    return 0


def _lines(kind: str, wanted: _Wanted, target: Path, manifest: dict[str, Any]) -> list[str]:
    clock = manifest["clock"]
    grade = "evidence grade" if clock["evidence_grade"] else "NOT evidence grade"
    program = "verify.py" if target.suffix == ".zip" else str(target / "verify.py")
    pictures = sum(len(one.pictures) for one in wanted.incidents)
    with_them = f", {len(wanted.incidents)} incident(s) with {pictures} picture(s)" if kind == "evidence" else ""
    return [
        f"{kind} of {wanted.camera}: {target}",
        f"{len(manifest['files'])} files, {len(manifest['holes'])} hole(s){with_them}",
        f"clock: {grade}: {clock['why']}",
        *wanted.notes,
        f"key fingerprint, to be told to the receiver by another way: {manifest['key_id']}",
        f"to check it: python3 {program} --key {manifest['key_id']}",
    ]


def _wanted(desk: Desk) -> _Wanted:
    """From --incident its camera and time, else from --camera, --from and --to; with every incident of that time."""
    args = desk.args
    files = [Path(name) for name in args.incident if Path(name).is_file()]
    names = [name for name in args.incident if not Path(name).is_file()]
    rows = [_named(desk, name) for name in names]
    if rows and not (args.from_ or args.to):
        wanted = _of_incidents(desk, rows)
    elif args.camera and args.from_ and args.to:
        wanted = _Wanted(args.camera, desk.whole_span())
    else:
        raise BadInput("say what: --camera with --from and --to, or --incident with the id of an incident")
    if not rows:
        rows = _between(desk, wanted)
    wanted.incidents = [_with_pictures(desk, row, wanted.notes) for row in rows]
    wanted.incidents += _from_files(files, args.picture)
    return wanted


def _named(desk: Desk, name: str) -> dict[str, Any]:
    from pipelines.store.queries import show_incident

    with database_of(desk.config).reading() as connection:
        found = show_incident(connection, name)
    if found is None:
        raise BadInput(
            f"--incident {name}: no file, and no incident has that id: `gatewatch incidents list` shows them"
        )
    return {key: value for key, value in found.items() if key not in _NOT_FOOTAGE}


def _of_incidents(desk: Desk, rows: list[dict[str, Any]]) -> _Wanted:
    cameras = sorted({row["camera"] for row in rows} | ({desk.args.camera} if desk.args.camera else set()))
    if len(cameras) > 1:
        raise BadInput(f"a package is of one camera; these incidents are of {', '.join(cameras)}")
    recording = desk.config.recording
    begin_s = min(row["first_seen_s"] for row in rows) - recording.pre
    end_s = max(row["closed_s"] or row["opened_s"] + _OPEN_S for row in rows) + recording.post
    return _Wanted(cameras[0], Span(round(begin_s * 1000), min(desk.now_ms, round(end_s * 1000))))


def _between(desk: Desk, wanted: _Wanted) -> list[dict[str, Any]]:
    """Every incident of that camera and time. A store that is away costs its incidents, never the footage."""
    from_s, to_s = wanted.span.from_ms / 1000, wanted.span.to_ms / 1000
    database = database_of(desk.config)
    if not database.exists():
        wanted.notes.append("no incident is in it: there is no store of incidents yet")
        return []
    try:
        rows = _all(database, wanted.camera, from_s - _LOOK_BACK_S, to_s)
    except GatewatchError as error:  # away, damaged, of another version: footage goes out all the same
        wanted.notes.append(f"no incident is in it: {error}")
        return []
    return [row for row in reversed(rows) if (row["closed_s"] or row["updated_s"]) >= from_s]


def _all(database: Database, camera: str, since_s: float, until_s: float) -> list[dict[str, Any]]:
    """Those that opened between the two, newest first."""
    from pipelines.store.queries import IncidentFilter, list_incidents

    wanted, rows, cursor = IncidentFilter(since_s=since_s, until_s=until_s, camera=camera), [], None
    with database.reading() as connection:
        while True:
            page = list_incidents(connection, wanted, 500, cursor)
            rows += page.rows
            cursor = page.cursor
            if cursor is None:
                return rows


def _with_pictures(desk: Desk, row: dict[str, Any], notes: list[str]) -> IncidentFiles:
    """The pictures that are still what they were when they were taken; of the others, a person is told why not."""
    pictures: list[Path] = []
    folder = desk.config.data / "pictures"
    for record in _records(row):
        path = inside(folder, record.get("path"))
        fault = _fault(path, str(record.get("sha256", ""))) if path else "it does not lie among the pictures"
        if path is not None and fault is None:
            pictures.append(path)
        else:
            which = f"{record.get('role', '?')} ({record.get('source', '?')})"
            notes.append(f"picture {which} of incident {row['incident_id']} is left out: {fault}")
    return IncidentFiles(row["incident_id"], row, pictures)


def _records(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Each picture, and after it the same moment from the recorded main stream where it was cut."""
    from pipelines.store.stills import with_stills

    found: list[dict[str, Any]] = []
    for picture in with_stills(row):
        found.append(picture)
        if picture["main"] is not None and picture["main"].get("missing") is None:
            found.append(picture["main"])
    return found


def _fault(path: Path, sha256: str) -> str | None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"it cannot be read ({error.strerror}); it may have had its time"
    return None if found == sha256 else "it is not the one that was taken"


def _from_files(paths: list[Path], pictures: list[Path]) -> list[IncidentFiles]:
    found: list[IncidentFiles] = []
    for path in paths:
        try:
            body = json.loads(path.read_bytes())
            found.append(IncidentFiles(str(body["incident_id"]), body, pictures if len(paths) == 1 else ()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path}: not the JSON of an incident ({error})") from error
    return found
