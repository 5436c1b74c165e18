"""The configuration's versions: each one that was put in force from the console, and what stood there before, with who, when
and why. They lie in DATA/configuration as `000012.yaml` and `000012.json`, for nobody else's eyes: a file may hold passwords.

Putting one in force is atomic, refuses to write over what somebody else changed meanwhile, and keeps the file's mode.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipelines.config.loader import read_bytes
from pipelines.errors import BadInput, Unavailable
from pipelines.files import write_atomically

FOLDER: Final = "configuration"
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class Version:
    """`what`: found (it stood there, changed by other means), applied, or reverted (`reverted_to`: to which number).
    `camera`: whose picture it was drawn on."""

    number: int
    what: str
    who: str
    at_s: float
    why: str
    sha256: str
    config_version: str = ""
    camera: str | None = None
    reverted_to: int | None = None


class Changed(BadInput):
    """Somebody else changed the file since it was read: `who`, at `at_s`."""

    def __init__(self, who: str, at_s: float, by_hand: bool) -> None:
        how = "in the file itself" if by_hand else "here"
        super().__init__(
            f"{who} changed the configuration meanwhile, {how}: load the page again and look at what is new"
        )
        self.who = who
        self.at_s = at_s
        self.by_hand = by_hand


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_writable(path: Path) -> bool:
    """Whether this process may put another file in its place."""
    real = path.resolve()
    return os.access(real.parent, os.W_OK | os.X_OK) and os.access(real, os.W_OK) and not _is_mounted(real)


def _is_mounted(path: Path) -> bool:
    """Whether the file itself is a mount, as a container's single file is: nothing can be renamed over it."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    escaped = str(path).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")
    return any(line.split(" ")[4:5] == [escaped] for line in lines)


class Versions:
    """Of one file. `data` is the site's folder."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER

    def all(self) -> list[Version]:
        """Newest first. What cannot be read is passed over."""
        found = []
        for path in self.folder.glob("[0-9]*.json"):
            with suppress(OSError, ValueError, TypeError):
                found.append(Version(**json.loads(path.read_text("utf-8"))))
        return sorted(found, key=lambda one: one.number, reverse=True)

    def content(self, number: int) -> bytes | None:
        """None: there is no such version."""
        try:
            return self._path(number, "yaml").read_bytes()
        except FileNotFoundError:
            return None

    def last_change(self, path: Path) -> tuple[str, float, bool]:
        """Who changed the file last and when, and whether in the file itself. Raises ConfigError."""
        newest = next(iter(self.all()), None)
        if newest is not None and newest.sha256 == sha256_of(read_bytes(path)):
            return newest.who, newest.at_s, newest.what == "found"
        return *_by_hand(path), True

    def put(
        self,
        path: Path,
        base: str,
        content: bytes,
        *,
        who: str,
        at_s: float,
        why: str,
        what: str,
        config_version: str,
        camera: str | None = None,
        reverted_to: int | None = None,
    ) -> Version:
        """`content` takes the place of `path`, which must still be what has the sha256 `base`.

        Raises:
            Changed: it is not.
            Unavailable: the disk refuses; the file is as it was.
        """
        with self._locked():
            present = read_bytes(path)
            if sha256_of(present) != base:
                raise Changed(*self.last_change(path))
            newest = next(iter(self.all()), None)
            number = 1 if newest is None else newest.number + 1
            if newest is None or newest.sha256 != base:
                found_who, found_s = _by_hand(path)
                self._keep(Version(number, "found", found_who, found_s, "", base), present)
                number += 1
            made = Version(number, what, who, at_s, why, sha256_of(content), config_version, camera, reverted_to)
            self._keep(made, content)
            try:
                write_atomically(path.resolve(), content, like=path.resolve())
            except OSError as error:
                for suffix in ("json", "yaml"):
                    self._path(number, suffix).unlink(missing_ok=True)
                raise Unavailable(f"{path} cannot be written: {error.strerror}; nothing was changed") from error
            return made

    def _keep(self, version: Version, content: bytes) -> None:
        """The description last: a version without one is none."""
        try:
            write_atomically(self._path(version.number, "yaml"), content, mode=0o600)
            described = json.dumps(asdict(version), ensure_ascii=False).encode()
            write_atomically(self._path(version.number, "json"), described, mode=0o600)
        except OSError as error:
            raise Unavailable(f"{self.folder} cannot be written: {error.strerror}; nothing was changed") from error

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:06d}.{suffix}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Against another console of this site."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Unavailable(f"{self.folder} cannot be written: {error.strerror}; nothing was changed") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _by_hand(path: Path) -> tuple[str, float]:
    """The file's owner, and when it was changed."""
    about = path.stat()
    try:
        return pwd.getpwuid(about.st_uid).pw_name, about.st_mtime
    except KeyError:
        return f"user {about.st_uid}", about.st_mtime
