"""Where a command writes what it makes: a new file, or standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def new_file(name: str) -> Iterator[IO[bytes]]:
    """A file appears when it is complete; one that is there is never replaced. `-`: standard output.

    Raises: BadInput: it is there already, or cannot be written.
    """
    from pipelines.errors import BadInput

    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    if path.exists():
        raise BadInput(f"{path} is there already: name a new file")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.rename(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
