"""Alerts as e-mail over SMTP, encrypted and with the server's certificate checked unless the server is on this machine.

Each address gets a mail of its own, so nobody sees who else is told. `Message-ID` is made of the idempotency key: a
message that is sent twice is one mail in most mailboxes; a follow-up names the alert's first mail in `In-Reply-To` and
`References` and so stands in its thread.

4xx replies and everything that goes wrong on the way are tried again, 5xx replies about the mail or an address are dead at
once. A refused login is tried again: it is the administrator's to mend, not the message's fault.
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final

from pipelines.alerting.channels.base import ChannelFault, Message, NotDelivered, Undeliverable
from pipelines.clock import Clock
from pipelines.config.channels import Email
from pipelines.metrics import package_version

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
#: After a refused login: servers lock accounts that are tried too often.
_LOGIN_WAIT_S: Final = 60.0
#: For so many messages it is remembered which addresses have them, while others have to be tried again.
_REMEMBERED: Final = 1000
_REPLY: Final = 200


class EmailChannel:
    """One mail server, one sender, some addresses."""

    workers: Final = 2

    def __init__(self, settings: Email, clock: Clock, name: str = "email") -> None:
        """Raises ChannelFault: the certificates of `ca_file` cannot be read."""
        self._settings = settings
        self._clock = clock
        self._name = name
        self._port = settings.port or _PORTS[settings.security]
        self._sender = parseaddr(settings.sender)
        self._domain = self._sender[1].rpartition("@")[2]
        self._taken: OrderedDict[str, set[str]] = OrderedDict()
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None
        if settings.security != "none":
            try:
                self._tls = ssl.create_default_context(cafile=settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ChannelFault(
                    ("ca_file",), f"{settings.ca_file} cannot be read as certificates: {error}"
                ) from error

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message) -> str:
        mail = self._mail(message)
        with self._lock:
            taken = set(self._taken.get(message.idempotency_key, ()))
        refused: list[str] = []
        later: list[str] = []
        try:
            with self._session() as session:
                for text in self._settings.to:
                    name, address = parseaddr(text)
                    if address not in taken:
                        _address(mail, "To", name, address)
                        self._hand_over(session, mail, address, (taken, refused, later))
        except NotDelivered:
            self._remember(message.idempotency_key, taken)
            raise
        self._remember(message.idempotency_key, taken if later else set())
        if later:
            raise NotDelivered(f"{self._settings.host} puts off {'; '.join(later + refused)}")
        if refused and not taken:
            raise Undeliverable(f"{self._settings.host} refuses {'; '.join(refused)}")
        return f"taken for {len(taken)} of {len(self._settings.to)}" + (
            f"; refused {'; '.join(refused)}" if refused else ""
        )

    def close(self) -> None:
        pass

    def _hand_over(
        self, session: smtplib.SMTP, mail: EmailMessage, address: str, ended: tuple[set[str], list[str], list[str]]
    ) -> None:
        """Send to one address and note how it ended: taken, refused for good, or to be tried later."""
        taken, refused, later = ended
        try:
            session.send_message(mail, self._sender[1], [address])
            taken.add(address)
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = error.recipients[address]
            (refused if code >= 500 else later).append(f"{address}: {code} {_plain(reply)}")
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            where = refused if error.smtp_code >= 500 else later
            where.append(f"{address}: {error.smtp_code} {_plain(error.smtp_error)}")

    def _remember(self, key: str, taken: set[str]) -> None:
        with self._lock:
            self._taken.pop(key, None)
            if taken:
                self._taken[key] = taken
                while len(self._taken) > _REMEMBERED:
                    self._taken.popitem(last=False)

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A server that has greeted, encrypted and let us in. What fails on the way is NotDelivered."""
        settings, host = self._settings, self._settings.host
        session: smtplib.SMTP | None = None
        watchdog: threading.Timer | None = None
        try:
            if settings.security == "tls" and self._tls is not None:
                session = smtplib.SMTP_SSL(timeout=settings.timeout, context=self._tls)
            else:
                session = smtplib.SMTP(timeout=settings.timeout)
            session._host = host  # type: ignore[attr-defined]  # what the certificate is checked against
            # Time-outs count from byte to byte; a server that drips is ended by shutting the socket under the reader.
            watchdog = threading.Timer(settings.timeout, _shut, [session])
            watchdog.daemon = True
            watchdog.start()
            code, reply = session.connect(host, self._port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, reply)
            if settings.security == "starttls":
                session.starttls(context=self._tls)
            if settings.user is not None:
                session.login(settings.user, settings.password or "")
            yield session
            with suppress(smtplib.SMTPException, OSError):
                session.quit()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise _failure(host, error) from error
        finally:
            if watchdog is not None:
                watchdog.cancel()
            if session is not None:
                session.close()

    def _mail(self, message: Message) -> EmailMessage:
        picture, note = message.picture(self._settings.picture)
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = message.title or message.text
        _address(mail, "From", *self._sender)
        mail["Date"] = format_datetime(datetime.fromtimestamp(self._clock.now_s(), UTC))
        mail["Message-ID"] = self._id(message.idempotency_key)
        if not message.first:
            mail["In-Reply-To"] = mail["References"] = self._id(message.alert_id)
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Mailer"] = f"gatewatch/{package_version()}"
        mail["X-Gatewatch-Key"] = message.idempotency_key
        if message.event["data"].get("severity") == 1 and not message.test:
            mail["Importance"], mail["X-Priority"] = "high", "1"
        mail.set_content("\n".join(part for part in (message.body or message.text, note) if part) + "\n", cte="base64")
        if picture is not None:
            mail.add_attachment(picture.content, maintype="image", subtype="jpeg", filename=picture.name)
        return mail

    def _id(self, key: str) -> str:
        """Keys hold what an id of a mail may not (`:`), and may come from anywhere: a digest of them does not."""
        return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{self._domain}>"


def _address(mail: EmailMessage, header: str, name: str, address: str) -> None:
    del mail[header]
    mail[header] = Address(display_name=name, addr_spec=address)


def _shut(session: smtplib.SMTP) -> None:
    sock = getattr(session, "sock", None)
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(2)


def _plain(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return "".join(char for char in " ".join(text.split())[:_REPLY] if char.isprintable())


def _failure(host: str, error: Exception) -> NotDelivered:
    match error:
        case smtplib.SMTPAuthenticationError():
            reason = f"{host} refuses the login: {error.smtp_code} {_plain(error.smtp_error)}"
            return NotDelivered(reason, _LOGIN_WAIT_S)
        case smtplib.SMTPNotSupportedError():
            return NotDelivered(f"{host}: {error}; nothing is sent in the clear")
        case smtplib.SMTPResponseException():
            return NotDelivered(f"{host} answers {error.smtp_code} {_plain(error.smtp_error)}")
        case ssl.SSLCertVerificationError():
            return NotDelivered(f"{host}: its certificate is not trusted: {error.verify_message}")
    return NotDelivered(f"{host}: {type(error).__name__}: {_plain(str(error))}")
