"""The configuration file as the console reads, tries and changes it. What is tried goes through the same checker as
`gatewatch config check`; what is put in force lies in the file, and every process takes it from there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from console.parts import Parts
from console.problems import Problem, not_found
from pipelines.config.build import camera_spec
from pipelines.config.differences import DiffLine, differences
from pipelines.config.document import Document, parse
from pipelines.config.drawing import Drawing, changes, drawing_of, place_on_picture
from pipelines.config.edit import edit
from pipelines.config.faults import Fault
from pipelines.config.loader import as_text, examine_document, read_bytes, version_of
from pipelines.config.schema import Config
from pipelines.config.secrets import secrets
from pipelines.config.versions import Version, Versions, sha256_of
from pipelines.errors import BadInput
from pipelines.store.people import note
from vision.ground import Ground

#: A sentence for the audit, not a book.
WHY_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class OnDisk:
    """The file as it is now. `text` as written, byte order mark and all; `config` is None when it has faults."""

    path: Path
    content: bytes
    text: str
    config: Config | None
    faults: list[Fault]
    document: Document

    @property
    def base(self) -> str:
        return sha256_of(self.content)


@dataclass(frozen=True, slots=True)
class Draft:
    """What the file would be. `config` is None when it has faults."""

    before: OnDisk
    text: str
    config: Config | None
    faults: list[Fault]

    @property
    def content(self) -> bytes:
        return self.text.encode()

    def diff(self) -> list[DiffLine]:
        known = [one for config in (self.before.config, self.config) if config is not None for one in secrets(config)]
        return differences(self.before.text, self.text, known)


def on_disk(parts: Parts) -> OnDisk:
    """Raises Problem: there is no file; ConfigError: it cannot be read."""
    path = parts.config_path
    if path is None:
        raise Problem(409, "no_file", "the console runs without a configuration file: there is nothing to change")
    content = read_bytes(path)
    known = parts.on_disk
    if isinstance(known, OnDisk) and (known.path, known.content) == (path, content):
        return known
    document = parse(as_text(content, path), os.environ)
    config, faults = examine_document(document)
    parts.on_disk = OnDisk(path, content, content.decode(), config, faults, document)
    return parts.on_disk


def good(found: OnDisk, base: str | None, versions: Versions) -> Config:
    """The configuration in the file. Raises Problem: it has faults, or is not the one with the sha256 `base` any more."""
    if base is not None and found.base != base:
        who, at_s, by_hand = versions.last_change(found.path)
        raise changed(who, at_s, by_hand)
    if found.config is None:
        texts = [fault.text(found.path.name) for fault in found.faults]
        raise Problem(409, "faults", "the file has faults: mend them in the file first", faults=texts)
    return found.config


def changed(who: str, at_s: float, by_hand: bool) -> Problem:
    how = "in the file itself" if by_hand else "here"
    detail = f"{who} has changed the configuration meanwhile, {how}: load it again and look at what is new"
    return Problem(409, "changed", detail, who=who, at_s=at_s, by_hand=by_hand)


def drawing(config: Config, found: OnDisk, camera: str) -> Drawing:
    """What the file has of a camera. Raises Problem: there is no such camera in it."""
    if camera not in config.cameras:
        raise not_found("there is no such camera")
    return drawing_of(config.cameras[camera], camera, found.document)


def draft(parts: Parts, camera: str, base: str, wanted: Drawing) -> Draft:
    """Raises Problem: the file has changed or has faults; BadInput: it cannot be changed so."""
    found = on_disk(parts)
    config = good(found, base, versions_of(parts))
    text = edit(found.text, changes(camera, drawing(config, found, camera), wanted), os.environ, found.document)
    return tried(found, text, camera)


def tried(found: OnDisk, text: str, camera: str | None = None) -> Draft:
    """`text` through the checker, and through what builds a camera's engine from it."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    document = parse(plain, os.environ)
    config, faults = examine_document(document)
    if config is not None:
        for name in config.cameras if camera is None else [camera]:
            try:
                camera_spec(config, name)
            except BadInput as error:
                at = ("cameras", name, "ground")
                faults.append(Fault(document.key_line(at), at, str(error).partition(": ")[2]))
    return Draft(found, text, None if faults else config, faults)


def check(wanted: Draft) -> Config:
    """Raises Problem: it has faults."""
    if wanted.config is None:
        texts = [fault.text(wanted.before.path.name) for fault in wanted.faults]
        raise Problem(422, "faults", "it has faults: " + "; ".join(texts), faults=texts)
    return wanted.config


def versions_of(parts: Parts) -> Versions:
    return Versions(parts.config.data)


def put(parts: Parts, wanted: Draft, who: str, why: str, **about: Any) -> Version:
    """Into the file, into the versions, into the audit. Raises Problem: faults; Changed: by somebody else; Unavailable."""
    config = check(wanted)
    if wanted.text == wanted.before.text:
        raise Problem(422, "same", "nothing differs from what is in the file")
    version, now_s = version_of(config), parts.clock.now_s()
    with parts.database.write() as connection:
        # In one transaction: what cannot be written to the audit is not put in force either.
        camera = about.get("camera")
        subject = f"camera {camera}" if camera is not None else "the whole configuration"
        detail = {"why": why, "config_version": version, "before": wanted.before.base[:12]}
        if about.get("reverted_to") is not None:
            detail["reverted_to"] = about["reverted_to"]
        note(connection, now_s, who, f"configuration.{about['what']}", subject, detail)
        return versions_of(parts).put(
            wanted.before.path,
            wanted.before.base,
            wanted.content,
            who=who,
            at_s=now_s,
            why=why,
            config_version=version,
            **about,
        )


def fault_json(fault: Fault, file: str, camera: str | None) -> dict[str, Any]:
    where = None if camera is None else place_on_picture(fault.place, camera)
    return {"line": fault.line, "text": fault.text(file), "where": where}


def ground_json(wanted: Drawing) -> dict[str, Any] | None:
    """How far the ground plane of these points can be trusted; None: there is none. Its own faults are the checker's."""
    if not wanted.ground:
        return None
    pairs = [(one.picture, one.metres) for one in wanted.ground]
    try:
        ground = Ground.fit(pairs)
    except ValueError:
        return None
    here = ground.to_metres([picture for picture, _ in pairs])
    errors = ground.error_at_m([picture for picture, _ in pairs])
    off = [float(((x - mx) ** 2 + (y - my) ** 2) ** 0.5) for (x, y), (_, (mx, my)) in zip(here, pairs, strict=True)]
    return {
        "error_m": ground.error_m,
        "residual_m": ground.residual_m,
        "matrix": ground.matrix.tolist(),
        "points": [{"error_m": float(error), "off_m": away} for error, away in zip(errors, off, strict=True)],
    }
