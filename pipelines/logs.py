"""Structured logs on standard error: one JSON object a line, or text for people.

Nothing secret leaves here: every text is masked after formatting, so a URL with a password inside an exception is
masked too. What floods is counted and said once a second.

    log = logging.getLogger(__name__)
    log.warning("camera is away", extra=fields(camera="gate-north", reason="timeout"))
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO
from urllib.parse import quote

from pipelines.clock import Clock, SystemClock

Style = Literal["auto", "json", "text"]

MASK: Final = "***"
#: Everything between `scheme://` and the last `@` before the path. A password may itself hold `@` or `:`.
_URL_CREDENTIALS: Final = re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<who>[^\s/'\"<>]*@)")
#: Shorter "secrets" would blot out ordinary words; they are still masked inside URLs.
_SHORTEST_SECRET: Final = 4
_FLOOD_WINDOW_S: Final = 1.0
#: How many different messages flood control remembers; more than that is forgotten oldest first.
_FLOOD_KEYS: Final = 1024


def fields(**values: Any) -> dict[str, Any]:
    """What to give as `extra=`: named values beside the message, e.g. `extra=fields(camera=..., reason=...)`."""
    return {"fields": values}


def mask_urls(text: str) -> str:
    """`rtsp://user:word@host/x` -> `rtsp://***@host/x`, wherever it stands in `text`."""
    return _URL_CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)


class Redactor:
    """Masks credentials in URLs and every known secret, plain and percent-encoded."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known: set[str] = set()
        for secret in secrets:
            known |= {form for form in (secret, quote(secret, safe=""), quote(secret)) if len(form) >= _SHORTEST_SECRET}
        # Longest first: a secret that contains another one is masked whole.
        self._secrets = sorted(known, key=lambda secret: (-len(secret), secret))

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return mask_urls(text)

    def value(self, value: Any) -> Any:
        """`value` with every text in it masked; what JSON cannot say becomes text."""
        if isinstance(value, str):
            return self(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {self(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        return self(str(value))


def _exception_text(record: logging.LogRecord) -> str | None:
    if record.exc_info and record.exc_info[0] is not None:
        return "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return None


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339 UTC, ms), level, logger, message, then the fields."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        for name, value in getattr(record, "fields", {}).items():
            entry.setdefault(name, self._redact.value(value))
        trace = _exception_text(record)
        if trace is not None:
            entry["exception"] = self._redact(trace)
        return json.dumps(entry, ensure_ascii=False, allow_nan=True)


class TextFormatter(logging.Formatter):
    """For people: local time, level, message, then `name=value`."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        line = f"{at:%H:%M:%S}.{int(record.msecs):03d} {record.levelname:<7} {record.getMessage()}"
        named = getattr(record, "fields", {})
        if named:
            line += "  " + " ".join(f"{name}={value}" for name, value in named.items())
        trace = _exception_text(record)
        # A line break in a message (a camera's own text, say) must not be able to forge a second line.
        line = line.replace("\r", "\\r").replace("\n", "\\n")
        return self._redact(line if trace is None else f"{line}\n{trace}")


class FloodHandler(logging.StreamHandler[TextIO]):
    """Writes a message at once, counts its repetitions, and says the count a second later.

    Two records are the same message when logger, level, unformatted text and camera agree. Errors with a traceback are
    always written.
    """

    def __init__(self, stream: TextIO, clock: Clock | None = None, window_s: float = _FLOOD_WINDOW_S) -> None:
        super().__init__(stream)
        self._clock = clock or SystemClock()
        self._window_s = window_s
        self._seen: dict[tuple[object, ...], list[Any]] = {}  # key -> [first monotonic_s, repetitions, last record]
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        now_s = self._clock.monotonic_s()
        self._say_due(now_s)
        if record.levelno < logging.WARNING or record.exc_info:
            super().emit(record)
            return
        key = (record.name, record.levelno, record.msg, getattr(record, "fields", {}).get("camera"))
        known = self._seen.get(key)
        if known is None:
            while len(self._seen) >= _FLOOD_KEYS:
                self._say(self._seen.pop(next(iter(self._seen))))
            self._seen[key] = [now_s, 0, record]
            super().emit(record)
            return
        known[1] += 1
        known[2] = record
        if self._timer is None:
            self._timer = threading.Timer(self._window_s, self._on_timer)
            self._timer.daemon = True
            self._timer.start()

    def _on_timer(self) -> None:
        with self.lock or threading.RLock():
            self._timer = None
            self._say_due(self._clock.monotonic_s())

    def _say_due(self, now_s: float) -> None:
        for key in [key for key, known in self._seen.items() if now_s - known[0] >= self._window_s]:
            self._say(self._seen.pop(key))

    def _say(self, known: list[Any]) -> None:
        _, repetitions, record = known
        if repetitions:
            again = logging.makeLogRecord(record.__dict__)
            again.msg, again.args = f"{record.getMessage()} (again, {repetitions} times)", None
            super().emit(again)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for known in self._seen.values():
            self._say(known)
        self._seen.clear()
        super().close()


def configure(
    style: Style = "auto",
    level: str = "INFO",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    clock: Clock | None = None,
) -> None:
    """Set up the process's logging; called once by a command. `auto` is text on a terminal and JSON elsewhere."""
    out = sys.stderr if stream is None else stream
    if style == "auto":
        style = "text" if out.isatty() else "json"
    redact = Redactor(secrets)
    handler = FloodHandler(out, clock)
    handler.setFormatter(JsonFormatter(redact) if style == "json" else TextFormatter(redact))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        if isinstance(old, FloodHandler):
            old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Libraries that say too much at INFO.
    for name in ("urllib3", "alembic", "asyncio", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
