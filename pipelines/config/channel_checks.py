"""Checks of `channels:` that need more than one key. What needs the disk or a library (templates, certificates, the
services of Apprise) is tried by `pipelines.alerting.channels.build` when a dispatcher starts and by `config check`."""

from __future__ import annotations

from collections.abc import Iterator
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any, Final

from pipelines.config.addresses import url_fault
from pipelines.config.channels import PLAIN
from pipelines.config.document import Document
from pipelines.config.faults import Fault, Place

_SCHEMES: Final = {
    "webhook": ("https", "http"),
    "pubsub": ("redis", "rediss", "unix"),
    "mqtt": ("mqtts", "mqtt"),
}
_MAIL: Final = "an address such as guard@school.example, or Name <guard@school.example>"


def check(document: Document, values: dict[str, Any]) -> Iterator[Fault]:
    """Faults of `channels.link` and of every named channel."""
    channels = values.get("channels")
    if not isinstance(channels, dict):
        return
    yield from _link(document, channels.get("link"))
    named = channels.get("named")
    for name, one in named.items() if isinstance(named, dict) else ():
        place: Place = ("channels", "named", name)
        if name in PLAIN:
            message = f"{name} is the channel channels.{name}; choose another name"
            yield Fault(document.key_line(place), place, message)
        if isinstance(one, dict):
            yield from _CHECKS.get(str(one.get("kind")), _nothing)(document, place, one)


def _link(document: Document, link: Any) -> Iterator[Fault]:
    place = ("channels", "link")
    if isinstance(link, str) and place not in document.unread:
        message = url_fault(link, ("https", "http")) or ("" if "{id}" in link else "{id} is missing")
        if message:
            allowed = "https:// or http:// with {id}, such as https://gatewatch.school.example/incidents/{id}"
            yield Fault(document.line(place), place, message, document.got(place), allowed)


def _nothing(document: Document, place: Place, one: dict[str, Any]) -> Iterator[Fault]:
    del document, place, one
    yield from ()


def _address(document: Document, place: Place, one: dict[str, Any]) -> Iterator[Fault]:
    schemes = _SCHEMES[one["kind"]]
    url, at = one.get("url"), (*place, "url")
    if isinstance(url, str) and at not in document.unread:
        message = url_fault(url, schemes)
        if message:
            allowed = ", ".join(f"{scheme}://" for scheme in schemes)
            yield Fault(document.line(at), at, message, document.got(at), allowed)


def _email(document: Document, place: Place, one: dict[str, Any]) -> Iterator[Fault]:
    to = one.get("to")
    recipients = [((*place, "to", index), text) for index, text in enumerate(to)] if isinstance(to, list) else []
    for at, text in [((*place, "sender"), one.get("sender")), *recipients]:
        if isinstance(text, str) and at not in document.unread and not _is_mail_address(text):
            yield Fault(document.line(at), at, "not an e-mail address", document.got(at), _MAIL)
    host, at = one.get("host"), (*place, "host")
    if isinstance(host, str) and at not in document.unread and (not host or set(host) & set("/@: \t")):
        allowed = "the name or address of a server; its port is a key of its own"
        yield Fault(document.line(at), at, "not a host", document.got(at), allowed)
    password, user = (one.get(key) is not None for key in ("password", "user"))
    if password != user:
        at = (*place, "user" if user else "password")
        yield Fault(document.line(at), at, "user and password go together: one of them is missing")
    if password and one.get("security") == "none":
        at = (*place, "security")
        message = "a password is never sent in the clear: use starttls or tls"
        yield Fault(document.line(at), at, message, document.got(at))


def _is_mail_address(text: str) -> bool:
    _, address = parseaddr(text)
    try:
        parsed = Address(addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        return False
    return bool(parsed.username and parsed.domain) and not set(text) & set("\r\n") and " " not in address


def _apprise(document: Document, place: Place, one: dict[str, Any]) -> Iterator[Fault]:
    address, at = one.get("address"), (*place, "address")
    if isinstance(address, str) and at not in document.unread and not address.partition("://")[2].strip():
        allowed = "an address of Apprise, such as dingtalk://, wecombot://, feishu://, lark://, tgram://"
        yield Fault(document.line(at), at, "this address names no service", None, allowed)


def _pubsub(document: Document, place: Place, one: dict[str, Any]) -> Iterator[Fault]:
    yield from _address(document, place, one)
    if one.get("format") == "wvp" and one.get("gb_id") is None and (*place, "gb_id") not in document.unread:
        message = "format wvp needs gb_id: it stands for cameras without one, and for what concerns no camera"
        yield Fault(document.line(place), (*place, "gb_id"), message, None, "20 digits")


def _mqtt(document: Document, place: Place, one: dict[str, Any]) -> Iterator[Fault]:
    yield from _address(document, place, one)
    topic, at = one.get("topic", "gatewatch/alerts"), (*place, "topic")
    if isinstance(topic, str) and at not in document.unread:
        bare = topic.replace("{camera}", "").replace("{kind}", "")
        if not topic or set(bare) & set("#+{}\x00"):
            allowed = "text without # and +, with {camera} and {kind} if need be"
            yield Fault(document.line(at), at, "not a topic to publish to", document.got(at), allowed)


_CHECKS: Final = {
    "webhook": _address,
    "email": _email,
    "apprise": _apprise,
    "pubsub": _pubsub,
    "mqtt": _mqtt,
}
