"""E-mail against real SMTP servers: good ones with TLS and a login, and ones that refuse, stall, drip and talk nonsense."""

from __future__ import annotations

import asyncio
import datetime
import email
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipelines.alerting.channels.base import ChannelFault, Message, NoPicture, NotDelivered, Picture, Undeliverable
from pipelines.alerting.channels.email import EmailChannel
from pipelines.config.channels import Email
from pipelines.events.envelope import incident_event
from pipelines.testing import FakeClock, an_incident

EVENT = incident_event(an_incident(severity=1), "v", "北门").to_dict()
JPEG = b"\xff\xd8 a picture \xff\xd9"


def message(key: str = "alert-1", **changes: Any) -> Message:
    values: dict[str, Any] = {
        "title": "【一级】北门：违法停车",
        "body": "事件：违法停车\n编号：case-1",
        "language": "zh-CN",
    }
    return Message("alert-1", key, "guard", "incident", False, 1, "一行", EVENT, **(values | changes))


class Mailbox:
    """An SMTP server on the loopback that keeps what it takes; `answers` are given per address instead of taking it."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, login: str = ""):
        self.mails: list[tuple[str, EmailMessage]] = []
        self.answers: dict[str, str] = {}
        self.data_answer = "250 taken"
        self.sessions: list[bool] = []
        loop = asyncio.new_event_loop()

        def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
            return AuthResult(success=data.password == login.encode(), handled=False)

        def protocol() -> SMTP:
            return SMTP(
                self,
                loop=loop,
                enable_SMTPUTF8=True,
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=check if login else None,
                auth_required=bool(login),
                auth_require_tls=False,
            )

        self._loop = loop
        server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0, ssl=tls))
        self.port: int = server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=loop.run_forever, daemon=True)
        self._thread.start()

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer.startswith("250"):
            self.sessions.append(server.transport.get_extra_info("sslcontext") is not None)
            parsed = email.message_from_bytes(envelope.content or b"", policy=default)
            assert isinstance(parsed, EmailMessage)
            self.mails += [(address, parsed) for address in envelope.rcpt_tos]
        return self.data_answer

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its key, in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


Open = Callable[..., Mailbox]


@pytest.fixture
def mailbox() -> Iterator[Open]:
    opened: list[Mailbox] = []

    def open_one(**options: Any) -> Mailbox:
        opened.append(Mailbox(**options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def channel(port: int, **changes: Any) -> EmailChannel:
    values: dict[str, Any] = {
        "kind": "email",
        "host": "localhost",
        "port": port,
        "security": "none",
        "sender": "北门小学 Gatewatch <gatewatch@school.example>",
        "to": ["值班员 <guard@school.example>", "head@school.example"],
        "timeout": 5.0,
    }
    return EmailChannel(Email(**(values | changes)), FakeClock(1_790_000_000.0))


def test_each_address_gets_a_mail_of_its_own_with_everything_in_it(mailbox: Open) -> None:
    box = mailbox()
    assert channel(box.port).send(message()) == "taken for 2 of 2"
    assert [address for address, _ in box.mails] == ["guard@school.example", "head@school.example"]
    mail = box.mails[0][1]
    assert mail["Subject"] == "【一级】北门：违法停车"
    assert mail["From"] == "北门小学 Gatewatch <gatewatch@school.example>"
    assert mail["To"] == "值班员 <guard@school.example>"
    assert mail["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert (mail["Auto-Submitted"], mail["Importance"], mail["In-Reply-To"]) == ("auto-generated", "high", None)
    assert mail.get_content().splitlines() == ["事件：违法停车", "编号：case-1"]


def test_a_follow_up_stands_in_the_thread_and_a_repetition_is_the_same_mail(mailbox: Open) -> None:
    box = mailbox()
    sender = channel(box.port, to=["guard@school.example"])
    for key in ("alert-1", "alert-1", "alert-1:4"):
        sender.send(message(key))
    first, again, later = (mail for _, mail in box.mails)
    assert first["Message-ID"] == again["Message-ID"] != later["Message-ID"]
    assert first["Message-ID"].endswith("@school.example>")
    assert later["In-Reply-To"] == later["References"] == first["Message-ID"]
    assert later["X-Gatewatch-Key"] == "alert-1:4"


class Shown:
    """A desk with one picture, or none."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def blurred(self, event: Any) -> Picture:
        if self.reason:
            raise NoPicture(self.reason)
        return Picture(JPEG, "limit.jpg", blurred=True, captured_at="2026-09-21T14:16:20Z")

    def original(self, event: Any) -> Picture:
        return Picture(JPEG + b"!", "limit.jpg", blurred=False, captured_at="2026-09-21T14:16:20Z")


def test_the_picture_is_attached_and_what_it_is_is_said(mailbox: Open) -> None:
    box = mailbox()
    for choice in ("blurred", "original", "none"):
        channel(box.port, to=["a@b.example"], picture=choice).send(message(pictures=Shown()))
    texts = [mail.get_body().get_content() for _, mail in box.mails]  # type: ignore[union-attr]
    attached = [[part.get_content() for part in mail.iter_attachments()] for _, mail in box.mails]
    assert attached == [[JPEG], [JPEG + b"!"], []]
    assert "模糊处理" in texts[0]
    assert "请勿外传" in texts[1]
    assert "图" not in texts[2]


def test_without_a_blurred_picture_none_is_sent_and_that_is_said(mailbox: Open) -> None:
    box = mailbox()
    channel(box.port, to=["a@b.example"]).send(message(pictures=Shown("unblurrable")))
    (_, mail), *_ = box.mails
    assert list(mail.iter_attachments()) == []
    assert "未附图片：无法做模糊处理，原图未发送。" in mail.get_content()


def test_starttls_and_tls_with_a_login_and_a_certificate_that_is_checked(mailbox: Open, certificate: Path) -> None:
    context = server_tls(certificate)
    for security, options in (("starttls", {"starttls": context}), ("tls", {"tls": context})):
        box = mailbox(login="right word", **options)
        good = {"security": security, "user": "gatewatch", "password": "right word", "ca_file": certificate}
        assert channel(box.port, **good).send(message()) == "taken for 2 of 2"
        assert box.sessions == [True, True]
        with pytest.raises(NotDelivered, match="refuses the login: 535") as caught:
            channel(box.port, **good | {"password": "wrong word"}).send(message())
        assert caught.value.after_s == 60
        with pytest.raises(NotDelivered, match="certificate is not trusted"):
            channel(box.port, **good | {"ca_file": None}).send(message())
        with pytest.raises(NotDelivered, match="certificate is not trusted"):
            channel(box.port, **good | {"host": "127.0.0.1"}).send(message())
        assert len(box.mails) == 2


def test_nothing_is_sent_in_the_clear_when_the_server_has_no_starttls(mailbox: Open) -> None:
    box = mailbox()
    with pytest.raises(NotDelivered, match="nothing is sent in the clear"):
        channel(box.port, security="starttls").send(message())
    assert box.mails == []


def test_what_is_refused_for_good_is_dead_and_what_is_put_off_is_tried_again(mailbox: Open) -> None:
    box = mailbox()
    sender = channel(box.port)
    box.answers = dict.fromkeys(("guard@school.example", "head@school.example"), "550 5.1.1 no such user")
    with pytest.raises(Undeliverable, match="no such user"):
        sender.send(message())
    box.answers = {"guard@school.example": "550 no such user"}
    assert sender.send(message()) == "taken for 1 of 2; refused guard@school.example: 550 no such user"
    box.answers = {"guard@school.example": "451 greylisted"}
    with pytest.raises(NotDelivered, match=r"puts off guard@school\.example: 451 greylisted"):
        sender.send(message("alert-2"))
    box.answers = {}
    sender.send(message("alert-2"))
    told = [address for address, mail in box.mails if mail["X-Gatewatch-Key"] == "alert-2"]
    assert sorted(told) == ["guard@school.example", "head@school.example"], "nobody twice"
    box.data_answer = "552 too large"
    with pytest.raises(Undeliverable, match="552 too large"):
        sender.send(message("alert-3"))
    box.data_answer = "452 disk full"
    with pytest.raises(NotDelivered, match="452 disk full"):
        sender.send(message("alert-3"))


class Rude:
    """Takes connections and does to each what it was told."""

    def __init__(self, act: Callable[[socket.socket, threading.Event], None]) -> None:
        self.closing = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.1)
        self.port = self._server.getsockname()[1]

        def serve() -> None:
            while not self.closing.is_set():
                try:
                    connection, _ = self._server.accept()
                except TimeoutError:
                    continue
                with connection:
                    act(connection, self.closing)

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._thread.join(10)
        self._server.close()


def stall(connection: socket.socket, closing: threading.Event) -> None:
    closing.wait(30)


def drip(connection: socket.socket, closing: threading.Event) -> None:
    while not closing.wait(0.05):
        try:
            connection.sendall(b"2")
        except OSError:
            return


def nonsense(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(b"\x00\xff\xfeSSH-2.0-what\r\n" * 3)


def hang_up(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(b"220 hello\r\n")


def not_now(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(b"421 too busy\x1b[31m\r\n")


@pytest.mark.parametrize("act", [stall, drip, nonsense, hang_up, not_now], ids=lambda act: act.__name__)
@pytest.mark.parametrize("security", ["none", "tls"])
def test_a_server_that_is_none_costs_one_time_out_and_is_tried_again(act: Any, security: str) -> None:
    rude = Rude(act)
    try:
        with pytest.raises(NotDelivered, match="localhost") as caught:
            channel(rude.port, security=security, timeout=0.5).send(message())
        assert "\x1b" not in str(caught.value)
    finally:
        rude.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotDelivered, match="localhost: ConnectionRefusedError"):
        channel(port).send(message())


def test_certificates_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    for content in (None, "no certificate"):
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ChannelFault, match="cannot be read as certificates") as caught:
            channel(25, security="tls", ca_file=path)
        assert caught.value.place == ("ca_file",)
