"""One tree of errors. Library errors are mapped to it where the library is called."""

from __future__ import annotations


class GatewatchError(Exception):
    """Something failed that a person can be told in one sentence. `exit_code` is what the command line returns."""

    exit_code = 1


class BadInput(GatewatchError):
    """What the person gave cannot be used: the message names the file, line, key or camera and says what to do."""

    exit_code = 2


class ConfigError(BadInput):
    """The configuration has faults; `faults` lists every one as `file:line: message`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Unavailable(GatewatchError):
    """Something that should be there is away (Redis, a disk, a camera): try again later; nothing was lost."""
