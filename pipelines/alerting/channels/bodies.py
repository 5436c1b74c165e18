"""What a webhook's request holds: the message as JSON, or what a template of the site's own makes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.alerting.channels.base import ChannelFault, Message, NotDelivered
from pipelines.alerting.samples import samples
from pipelines.alerting.templating import Engine, TemplateFault
from pipelines.config.channels import PictureChoice

if TYPE_CHECKING:
    from pipelines.alerting.messages import Letters

Body = Callable[[Message], bytes]


def json_body(choice: PictureChoice) -> Body:
    """The message as one JSON object; with `picture` where a picture is asked for."""

    def body(message: Message) -> bytes:
        values = message.to_dict()
        if choice != "none":
            values["picture"], values["picture_note"] = _picture(message, choice)
        return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()

    return body


class TemplatedBody:
    """A template's text. It sees what the templates of messages see, and `message` with its words and ids."""

    def __init__(self, path: Path, content_type: str, choice: PictureChoice, letters: Letters) -> None:
        """Tries it on every sample. Raises ChannelFault: it cannot be used, or does not make JSON where it should."""
        self._path = path
        self._letters = letters
        self._choice = choice
        self._is_json = content_type.partition(";")[0].strip().lower().endswith("json")
        try:
            self._template = Engine().compile(path)
            for why, event in samples():
                text = letters.compose(why, event)
                self._render(
                    Message(
                        "sample", "sample", "guard", "sample", why == "test", 1, text.line, event, why, *_words(text)
                    )
                )
        except TemplateFault as error:
            raise ChannelFault(("body",), str(error)) from error

    def __call__(self, message: Message) -> bytes:
        try:
            return self._render(message)
        except TemplateFault as error:
            raise NotDelivered(str(error)) from error

    def _render(self, message: Message) -> bytes:
        picture, note = _picture(message, self._choice)
        values = self._letters.values(message.why, message.event, message.recipient)  # type: ignore[arg-type]
        words = {name: value for name, value in message.to_dict().items() if name != "event"}
        text = self._template.render({**values, "message": words, "picture": picture, "picture_note": note})
        if self._is_json:
            try:
                json.loads(text)
            except ValueError as error:
                line = getattr(error, "lineno", 1)
                reason = f"{self._path}: makes no JSON for {message.why}: {error}"
                raise TemplateFault(
                    f"{reason} (line {line} of what it makes; write values as {{{{ value | json }}}})"
                ) from error
        return text.encode()


def _picture(message: Message, choice: PictureChoice) -> tuple[dict[str, Any] | None, str]:
    picture, note = message.picture(choice)
    if picture is None:
        return None, note
    return {
        "content_type": "image/jpeg",
        "base64": base64.b64encode(picture.content).decode(),
        "blurred": picture.blurred,
        "captured_at": picture.captured_at,
    }, note


def _words(text: Any) -> tuple[str, str]:
    return text.title, text.body
