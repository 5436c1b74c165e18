"""An error gets the word that says what to do about it."""

from __future__ import annotations

import errno

import pytest

from pipelines.media.decoding import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EHOSTUNREACH, "no route to host"), "unreachable"),
        (OSError(errno.ENETUNREACH, "network is unreachable"), "unreachable"),
        (OSError(errno.EIO, "input/output error"), "io_error"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "connection_lost"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), "timeout"),
        (LookupError("no video"), "failed"),
    ],
)
def test_an_error_is_called_unreachable_only_when_the_system_says_so(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason
