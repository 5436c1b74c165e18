"""The one caller of ffmpeg. Arguments are built with the package ffmpeg-python (`import ffmpeg`), run here.

What every process gets: it dies with its parent; standard error is always drained, its last lines are kept for
messages; no URL, and so no password, is ever among its arguments (`ps`, `/proc/PID/cmdline`): an address goes in by
standard input, as a short script for ffmpeg's `concat` demuxer (see docs/decisions.md). Needs ffmpeg >= 4.4.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import ffmpeg
import imageio_ffmpeg

from pipelines import children
from pipelines.errors import BadInput, GatewatchError
from pipelines.media.urls import is_url, redact

#: Lines of standard error that are kept for a message.
_KEPT_LINES: Final = 20
#: Without statistics: they would only push the useful lines out of the ring.
_QUIET: Final = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning")
_PROTOCOLS: Final = "file,pipe,fd,crypto,data,rtsp,rtsps,rtp,srtp,tcp,udp,tls,http,https,rtmp,rtmps,srt"


class FfmpegError(GatewatchError):
    """ffmpeg failed; the message holds its last words, without credentials."""


def find_binary(configured: Path | None = None) -> str:
    """The ffmpeg to use: the configured one, else the one in the wheel imageio-ffmpeg.

    Raises:
        BadInput: the configured one is not an executable file, or the wheel has none for this machine.
    """
    if configured is not None:
        found = shutil.which(str(configured))
        if found is None:
            raise BadInput(f"ffmpeg: {configured} is not an executable file; name one or leave the key `ffmpeg` out")
        return found
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise BadInput(f"no ffmpeg: {error}; name one with the key `ffmpeg` in the configuration") from error


@dataclass(frozen=True)
class HiddenInput:
    """An input whose address is given through standard input. `node` goes into an ffmpeg-python graph."""

    node: Any
    script: bytes = field(repr=False)


def hidden_input(url: str, options: Mapping[str, str | int] | None = None, **input_options: Any) -> HiddenInput:
    """An input for `url` that shows nothing of it among the arguments.

    `options` are options of the inner demuxer and protocol (`rtsp_transport`, `timeout` in microseconds, ...);
    `input_options` are ffmpeg-python input options (`use_wallclock_as_timestamps=1`, ...).
    """
    if "\n" in url or "\r" in url:
        raise BadInput(f"a camera's URL must be one line: {redact(url)!r}")
    quoted = url.replace("'", "'\\''")
    # Without a protocol the demuxer would take a path as relative to its own script, `pipe:0`.
    place = quoted if is_url(url) else f"file:{quoted}"
    lines = ["ffconcat version 1.0", f"file '{place}'"]
    lines += [f"option {name} {value}" for name, value in (options or {}).items()]
    node = ffmpeg.input("pipe:0", f="concat", safe=0, protocol_whitelist=_PROTOCOLS, **input_options)
    return HiddenInput(node, ("\n".join(lines) + "\n").encode())


def rtsp_input(url: str, timeout_s: float = 10.0, media: str = "video+audio", **input_options: Any) -> HiddenInput:
    """`hidden_input` for a camera: RTSP over TCP, a time-out on every socket operation. `media` as libav names it."""
    options: dict[str, str | int] = {
        "rtsp_transport": "tcp",
        "timeout": int(timeout_s * 1_000_000),
        "allowed_media_types": media,
    }
    return hidden_input(url, options if url.lower().startswith("rtsp") else None, **input_options)


class FfmpegProcess:
    """A running ffmpeg. Made by `Ffmpeg.spawn`."""

    def __init__(self, process: subprocess.Popen[bytes], script: bytes | None) -> None:
        self._process = process
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._lock = threading.Lock()
        self._drain = threading.Thread(target=self._drain_stderr, name="ffmpeg-stderr", daemon=True)
        self._drain.start()
        if script is not None:
            stdin = process.stdin
            assert stdin is not None
            # The script is far smaller than a pipe's buffer: this cannot block, even if ffmpeg never reads it.
            with contextlib.suppress(BrokenPipeError):
                stdin.write(script)
                stdin.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes]:
        """What it writes, when it was spawned with `stdout=True`."""
        assert self._process.stdout is not None
        return self._process.stdout

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit code, or None when it still runs after `timeout_s`."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        self._finish()
        return code

    def stop(self, grace_s: float = 5.0) -> int:
        """Ask it to end and close its files; kill it when it has not after `grace_s`. Returns the exit code."""
        code = children.end(self._process, grace_s)
        self._finish()
        return code

    def last_words(self) -> str:
        """The last lines of its standard error, credentials redacted."""
        with self._lock:
            return "\n".join(self._lines)

    def _finish(self) -> None:
        self._drain.join(1.0)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _drain_stderr(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        with stderr:
            for line in iter(lambda: stderr.readline(4096), b""):
                text = redact(line.decode(errors="replace").strip())
                if text:
                    with self._lock:
                        self._lines.append(text)


@dataclass(frozen=True)
class Ffmpeg:
    """An ffmpeg binary, ready to run graphs built with ffmpeg-python."""

    binary: str

    @classmethod
    def find(cls, configured: Path | None = None) -> Ffmpeg:
        """See `find_binary`."""
        return cls(find_binary(configured))

    def version(self) -> str:
        """The version as it names itself, e.g. `n9.0.2`.

        Raises:
            FfmpegError: it does not run or says nothing of the kind.
        """
        try:
            said = subprocess.run(
                [self.binary, "-version"], capture_output=True, timeout=20, check=False, text=True
            ).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FfmpegError(f"{self.binary} does not run: {error}") from error
        match = re.match(r"ffmpeg version (\S+)", said)
        if match is None:
            raise FfmpegError(f"{self.binary} -version does not name a version")
        return match[1]

    def features(self, kind: str) -> frozenset[str]:
        """Names of what it was built with; `kind` is `demuxers`, `muxers`, `encoders`, `decoders` or `protocols`.

        Raises:
            FfmpegError: it does not run.
        """
        try:
            said = subprocess.run(
                [self.binary, "-hide_banner", f"-{kind}"], capture_output=True, timeout=20, check=True, text=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise FfmpegError(f"{self.binary} -{kind} does not run: {error}") from error
        if kind == "protocols":
            return frozenset(line.strip() for line in said.splitlines() if line.startswith("  "))
        # A table: flags, then names with commas (`mov,mp4,m4a`), then words.
        rows = re.findall(r"^ [A-Z.d ]+ ([a-z0-9_,]+) ", said, re.MULTILINE)
        return frozenset(name for row in rows for name in row.split(","))

    def arguments(self, graph: Any) -> list[str]:
        """The command line for a graph of ffmpeg-python (an output node); overwrites its outputs."""
        compiled: Sequence[str] = ffmpeg.compile(graph, cmd=self.binary, overwrite_output=True)
        return [compiled[0], *_QUIET, *compiled[1:]]

    def spawn(
        self,
        graph: Any,
        source: HiddenInput | None = None,
        *,
        stdout: bool = False,
        nice: bool = False,
        cwd: Path | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> FfmpegProcess:
        """Start ffmpeg. `source` is the hidden input in the graph, if any; call from a thread that outlives it.

        Raises:
            FfmpegError: an address with credentials is among the arguments (use `hidden_input`).
        """
        argv = self.arguments(graph)
        if any(redact(argument) != argument for argument in argv):
            raise FfmpegError("refused: an address with credentials among ffmpeg's arguments would show in `ps`")
        process = children.spawn(
            ["nice", "-n", "5", *argv] if nice else argv,
            stdin=subprocess.DEVNULL if source is None else subprocess.PIPE,
            stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=cwd,
            death_signal=death_signal,
        )
        return FfmpegProcess(process, None if source is None else source.script)

    def run(
        self, graph: Any, source: HiddenInput | None = None, *, timeout_s: float = 600.0, nice: bool = False
    ) -> None:
        """Run ffmpeg to its end.

        Raises:
            FfmpegError: it failed or took longer than `timeout_s`; the message holds its last words.
        """
        process = self.spawn(graph, source, nice=nice)
        code = process.wait(timeout_s)
        if code is None:
            process.stop()
            raise FfmpegError(f"ffmpeg did not end within {timeout_s:g} s: {process.last_words()}")
        if code != 0:
            raise FfmpegError(f"ffmpeg failed ({code}): {process.last_words()}")
