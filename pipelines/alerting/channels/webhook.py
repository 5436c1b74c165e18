"""Alerts as HTTP requests, signed with HMAC-SHA256.

    POST URL
    Content-Type: application/json
    Idempotency-Key: KEY                        the same at every try of a message
    X-Gatewatch-Timestamp: 1790000000           Unix seconds of this try
    X-Gatewatch-Signature: v1=HEX               HMAC-SHA256(secret, timestamp + "." + body)

The body is the message as JSON, or what a template makes of it.

Any 2xx is a receipt. 408, 425, 429, 5xx, temporary redirects and everything that goes wrong on the way is tried again;
other 4xx and permanent redirects are dead at once. No redirect is followed: a signed message goes to the named address.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from pipelines.alerting.channels.base import Message, NotDelivered, Undeliverable
from pipelines.alerting.channels.bodies import Body, TemplatedBody, json_body
from pipelines.alerting.channels.keepalive import Caller, CallFailed
from pipelines.clock import Clock, SystemClock
from pipelines.errors import BadInput
from pipelines.logs import mask_urls
from pipelines.metrics import package_version

if TYPE_CHECKING:
    from pipelines.alerting.messages import Letters
    from pipelines.config.channels import Webhook

_TRY_AGAIN: Final = frozenset({408, 425, 429, 302, 303, 307})
_LONGEST_WAIT_S: Final = 3600.0
_SIGNATURE_AGE_S: Final = 300.0


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Gatewatch-Signature."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


def verify(secret: str, timestamp: str, signature: str, body: bytes, *, now_s: float) -> bool:
    """What a receiver does: right secret, unchanged body, and not older (or newer) than five minutes."""
    if not timestamp.isdigit() or abs(now_s - int(timestamp)) > _SIGNATURE_AGE_S:
        return False
    return hmac.compare_digest(sign(secret, timestamp, body), signature)


class WebhookChannel:
    """One receiver. Connections are kept open; each try has a deadline over everything."""

    def __init__(
        self,
        url: str,
        secret: str,
        clock: Clock | None = None,
        *,
        timeout_s: float = 10.0,
        workers: int = 4,
        name: str = "webhook",
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        body: Body | None = None,
        answer: Mapping[str, object] | None = None,
    ) -> None:
        try:
            self._caller = Caller(url, timeout_s)
        except ValueError as error:
            raise BadInput(f"channels.webhook.url {mask_urls(url)!r}: {error}") from error
        if not secret:
            raise BadInput("channels.webhook.secret is empty: receivers could not tell our messages from others'")
        self._secret = secret
        self._host = self._caller.host
        self._clock = clock or SystemClock()
        self._workers = workers
        self._name = name
        self._answer = answer or {}
        self._body = body or json_body("none")
        self._headers = {
            **(headers or {}),
            "Content-Type": content_type,
            "User-Agent": f"gatewatch/{package_version()}",
        }

    @classmethod
    def of(cls, settings: Webhook, clock: Clock, letters: Letters, name: str = "webhook") -> Self:
        """As the configuration says. Raises BadInput, and TemplateFault: its template cannot be used."""
        content_type, choice = settings.content_type, settings.picture
        body = (
            json_body(choice) if settings.body is None else TemplatedBody(settings.body, content_type, choice, letters)
        )
        return cls(
            settings.url,
            settings.secret,
            clock,
            timeout_s=settings.timeout,
            name=name,
            headers=settings.headers,
            content_type=content_type,
            body=body,
            answer=settings.answer,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def workers(self) -> int:
        return self._workers

    def send(self, message: Message) -> str:
        body = self._body(message)
        timestamp = str(int(self._clock.now_s()))
        headers = {
            **self._headers,
            "Idempotency-Key": message.idempotency_key,
            "X-Gatewatch-Timestamp": timestamp,
            "X-Gatewatch-Signature": sign(self._secret, timestamp, body),
        }
        try:
            answer = self._caller.post(body, headers)
        except CallFailed as error:
            # The message names the host, never the address: receivers put tokens into paths.
            raise NotDelivered(f"{self._host}: {error}") from error
        status, content = answer.status, answer.content
        location, after = answer.headers.get("Location", ""), answer.headers.get("Retry-After", "")
        said = _first_line(content)
        if 200 <= status < 300:
            if not self._says_what_it_must(content):
                wanted = ", ".join(f"{key}={value}" for key, value in self._answer.items())
                raise NotDelivered(f"{self._host} answered {status}, but not {wanted}: {said}")
            return f"{status} {said}".strip()
        reason = f"{self._host} answered {status} {said}".strip()
        if 300 <= status < 400:
            target = urlsplit(location).hostname or "nowhere"
            reason = f"{self._host} redirects ({status}) to {target}; redirects are not followed"
        if status >= 500 or status in _TRY_AGAIN:
            raise NotDelivered(reason, min(float(after), _LONGEST_WAIT_S) if after.isdigit() else None)
        raise Undeliverable(reason)

    def close(self) -> None:
        self._caller.close()

    def _says_what_it_must(self, content: bytes) -> bool:
        if not self._answer:
            return True
        try:
            answer = json.loads(content)
        except ValueError:
            return False
        return isinstance(answer, dict) and all(answer.get(key) == value for key, value in self._answer.items())


def _first_line(content: bytes) -> str:
    """A receipt is a line, not a download."""
    lines = content.decode("utf-8", "replace").strip().splitlines()
    return "".join(char for char in (lines[0][:120] if lines else "") if char.isprintable())
