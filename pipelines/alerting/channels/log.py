"""Alerts in the dispatcher's own log."""

from __future__ import annotations

import logging
from typing import Final

from pipelines.alerting.channels.base import Message
from pipelines.logs import fields


class LogChannel:
    """Writes one line per message, at WARNING for levels 1 and 2, at INFO for the rest."""

    name: Final = "log"
    workers: Final = 1

    def __init__(self) -> None:
        # A name of its own per message kind keeps flood control from counting different alerts as repetitions.
        self._log = logging.getLogger("gatewatch.alerts")

    def send(self, message: Message) -> str:
        data = message.event["data"]
        urgent = data["severity"] <= 2 and not message.test
        # The text is the format itself: two alerts are never "the same message" for flood control.
        self._log.log(
            logging.WARNING if urgent else logging.INFO,
            message.text.replace("%", "%%"),
            extra=fields(alert=message.alert_id, recipient=message.recipient, incident=data["incident_id"]),
        )
        return "logged"

    def close(self) -> None:
        pass
