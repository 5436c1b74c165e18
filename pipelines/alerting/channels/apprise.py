"""Alerts through a service that Apprise knows: DingTalk, WeCom, Feishu and Lark, Telegram, and a hundred more.

Apprise says only whether it worked; why not is read from its log, without letting any of that log (it may hold addresses)
out. 4xx answers but 408, 425 and 429 are dead at once, everything else is tried again. No redirect is followed. An address
with several targets is one message: when one of them fails, all get it again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from pipelines.alerting.channels.apprise_answers import REFUSE_WITH_200, refusals, watch
from pipelines.alerting.channels.base import ChannelFault, Message, NotDelivered, Picture, Undeliverable
from pipelines.config.channels import AppriseService
from pipelines.config.secrets import tokens
from pipelines.logs import Redactor, fields

if TYPE_CHECKING:
    from apprise import NotifyBase

_log = logging.getLogger(__name__)

_TRY_AGAIN: Final = frozenset({408, 425, 429})
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
_LONGEST: Final = 300
#: Apprise keeps its own distance between two messages to one service: up to 5.5 s.
_THROTTLE_S: Final = 6.0
#: Shorter than a lease of the outbox.
_LONGEST_TRY_S: Final = 25.0


class AppriseChannel:
    """One address."""

    workers: Final = 1

    def __init__(self, settings: AppriseService, name: str = "apprise") -> None:
        """Raises ChannelFault: Apprise cannot make anything of the address; the message shows none of it."""
        # Here, for it costs 25 MB and a third of a second that only sites which use it pay.
        import apprise
        from apprise.manager_plugins import NotificationManager

        # Nothing is kept on the disk, and every log line hides what it can.
        asset = apprise.AppriseAsset(
            app_id="Gatewatch",
            app_desc="Gatewatch",
            secure_logging=True,
            async_mode=False,
            http_redirects=False,
            service_timeout=min(2 * settings.timeout + _THROTTLE_S, _LONGEST_TRY_S),
        )
        self._apprise = apprise
        self._asset = asset
        self._name = name
        self._settings = settings
        self._redact = Redactor([settings.address, *tokens(settings.address)])
        self._listener = _Listener()
        with self._listening():
            service = apprise.Apprise.instantiate(settings.address, asset=asset)
        if service is None:
            scheme = settings.address.partition("://")[0]
            known = scheme.lower() in NotificationManager()  # type: ignore[no-untyped-call]
            raise ChannelFault(
                ("address",),
                f"Apprise cannot use this {scheme}:// address: something is missing or wrong in it"
                if known
                else f"Apprise knows no service {scheme}://",
            )
        self._service: NotifyBase = service
        service.socket_connect_timeout = service.socket_read_timeout = settings.timeout
        scheme = settings.address.partition("://")[0].lower()
        if scheme in REFUSE_WITH_200 and not watch(service):
            _log.warning("Apprise has changed: refusals of this service may look sent", extra=fields(service=scheme))
        if "overflow=" not in settings.address:
            # Rather two messages than one that the service refuses for its length.
            service.overflow_mode = apprise.OverflowMode.SPLIT

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message) -> str:
        choice = self._settings.picture if self._service.attachment_support else "none"
        picture, note = message.picture(choice)
        sender = self._apprise.Apprise(asset=self._asset)
        sender.add(self._service)
        with self._listening() as said, refusals() as refused:
            done = sender.notify(
                title=message.title or message.text,
                body="\n".join(part for part in (message.body or message.text, note) if part),
                body_format=self._apprise.NotifyFormat.TEXT,
                notify_type=self._kind(message),
                attach=None if picture is None else self._attached(picture),
            )
        if refused:
            raise NotDelivered(self._redact(f"{self._service.service_name} {refused[0]}"))
        if done:
            return f"sent by Apprise ({self._service.service_name})" + (", with a picture" if picture else "")
        reason = self._redact("; ".join(said))[:_LONGEST] or f"{self._service.service_name} did not take it"
        status = _STATUS.search(reason)
        if status is not None and 400 <= int(status[1]) < 500 and int(status[1]) not in _TRY_AGAIN:
            raise Undeliverable(reason)
        raise NotDelivered(reason)

    def close(self) -> None:
        pass

    def _kind(self, message: Message) -> Any:
        kinds = self._apprise.NotifyType
        if message.test or message.why == "closed":
            return kinds.INFO if message.test else kinds.SUCCESS
        return kinds.FAILURE if message.event["data"].get("severity") == 1 else kinds.WARNING

    def _attached(self, picture: Picture) -> Any:
        from apprise.attachment.memory import AttachMemory

        attachment = self._apprise.AppriseAttachment(asset=self._asset)
        attachment.add(AttachMemory(content=picture.content, name=picture.name, mimetype="image/jpeg"))  # type: ignore[no-untyped-call]
        return attachment

    @contextmanager
    def _listening(self) -> Iterator[list[str]]:
        """What Apprise logs meanwhile for this call, and nowhere else."""
        log = logging.getLogger("apprise")
        lines: list[str] = []
        log.addFilter(self._listener)
        token = self._listener.heard.set(lines)
        try:
            yield lines
        finally:
            self._listener.heard.reset(token)
            log.removeFilter(self._listener)


class _Listener(logging.Filter):
    """Takes what one call logs out of the log; Apprise carries the context of the call into its threads."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)

    def filter(self, record: logging.LogRecord) -> bool:
        lines = self.heard.get()
        if lines is None:
            return True
        if record.levelno >= logging.WARNING:
            lines.append(record.getMessage())
        return False
