"""Child processes that die with their parent, however the parent dies.

`PR_SET_PDEATHSIG` must be set inside the child. A `preexec_fn` would run Python between fork and exec, which can
deadlock in a process with threads; so the child starts as a tiny Python program that asks for the signal, looks whether
its parent is still there, and becomes the wanted program (same process id). It costs about 15 ms of CPU per start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_PR_SET_PDEATHSIG: Final = 1

#: argv: signal, expected parent, program, arguments. Exit code 127 = the program cannot be started, as in a shell.
_BECOME: Final = f"""
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl({_PR_SET_PDEATHSIG}, int(sys.argv[1]), 0, 0, 0)
if os.getppid() != int(sys.argv[2]):
    sys.exit(1)
try:
    os.execvp(sys.argv[3], sys.argv[3:])
except OSError as error:
    sys.stderr.write(f"{{sys.argv[3]}}: {{error.strerror}}\\n")
    sys.exit(127)
"""


def spawn(
    argv: Sequence[str],
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `argv` as a child that gets `death_signal` when the calling *thread* ends (so: when the process dies).

    Linux ties the signal to the thread that made the child: call it from the main thread, or from a thread that
    outlives the child. The child is in a session of its own, so that Ctrl-C in a terminal reaches the parent only,
    which then ends its children in order.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BECOME, str(int(death_signal)), str(os.getpid()), *argv],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
        pass_fds=pass_fds,
    )


def end(process: subprocess.Popen[bytes], grace_s: float = 5.0) -> int:
    """Ask the child to end (SIGTERM), wait `grace_s`, then kill it. Returns its exit code; may be repeated."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
