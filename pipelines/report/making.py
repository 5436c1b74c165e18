"""One report from beginning to end: which time, what was, the sheet, the file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pipelines.config.schema import Config
from pipelines.errors import BadInput
from pipelines.metrics import package_version
from pipelines.report import facts
from pipelines.report.html import html
from pipelines.report.model import Sheet
from pipelines.report.period import Wanted, resolve
from pipelines.report.sheet import sheet_of
from pipelines.report.xlsx import xlsx
from pipelines.store.database import Database
from pipelines.wording import Language

Format = Literal["html", "xlsx", "pdf", "json"]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants. `console`: the address that figures link to. `cameras`: all that they may see; None: the site."""

    wanted: Wanted
    kind: Format
    language: Language
    console: str
    cameras: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A file: its name without folder, its bytes, its media type, and the title of its period."""

    name: str
    content: bytes
    media_type: str
    period: str


def make(config: Config, database: Database, order: Order, now_s: float) -> Made:
    """Raises: BadInput: the time cannot be had, there is no store, or a package is missing. Unavailable: the store is away."""
    sheet = read(config, database, order, now_s)
    media_type, write = _WRITERS[order.kind]
    name = f"gatewatch-{sheet.period.title.replace('/', '-to-')}.{order.kind}"
    return Made(name, write(sheet, order), media_type, sheet.period.title)


def read(config: Config, database: Database, order: Order, now_s: float) -> Sheet:
    """The figures, in no language. Raises as `make`."""
    _check_console(order.console)
    period = resolve(order.wanted, config.calendar.terms, config.site.timezone, now_s)
    return sheet_of(facts.facts_of(config, database, period, now_s, order.cameras), package_version())


def console_of(config: Config) -> str:
    """Where the console is: as messages link to it, else where it listens."""
    if config.channels.link is not None:
        link = urlsplit(config.channels.link)
        return f"{link.scheme}://{link.netloc}"
    page = config.console
    host = f"[{page.host}]" if ":" in page.host else page.host
    return f"{'https' if page.certificate is not None else 'http'}://{host}:{page.port}"


def _check_console(address: str) -> None:
    """It becomes links: `javascript:` and the like have no place there."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise BadInput(f"--console {address!r} is no address of a console: write https://gatewatch.school.example")


def _pdf(sheet: Sheet, order: Order) -> bytes:
    try:
        from pipelines.report.pdf import pdf
    except ModuleNotFoundError as error:
        raise BadInput("a PDF needs the package fpdf2: pip install 'gatewatch[analysis]', or ask for html") from error
    return pdf(sheet, order.language, order.console)


def _json(sheet: Sheet, _order: Order) -> bytes:
    return (json.dumps(_plain(sheet), ensure_ascii=False, indent=1) + "\n").encode()


def _plain(value: Any) -> Any:
    """As JSON has it. A figure's value says what it is: `{"is": "Share", "part": ...}`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"is": type(value).__name__} | fields if type(value).__module__.endswith("model") else fields
    if isinstance(value, dict):
        return {key.isoformat() if isinstance(key, date) else str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


_WRITERS: Final[dict[Format, tuple[str, Callable[[Sheet, Order], bytes]]]] = {
    "html": ("text/html; charset=utf-8", lambda sheet, order: html(sheet, order.language, order.console).encode()),
    "xlsx": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        lambda sheet, order: xlsx(sheet, order.language, order.console),
    ),
    "pdf": ("application/pdf", _pdf),
    "json": ("application/json", _json),
}
#: Of each format.
MEDIA_TYPES: Final[dict[Format, str]] = {kind: media_type for kind, (media_type, _) in _WRITERS.items()}
