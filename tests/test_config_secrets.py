from __future__ import annotations

from pipelines.config.schema import Camera, Channels, Config, Redis, Stream, Webhook
from pipelines.config.secrets import secrets


def test_finds_passwords_in_addresses_and_secret_values() -> None:
    config = Config(
        cameras={"gate-north": Camera(main=Stream(url="rtsp://admin:p%40ss-word@192.0.2.10:554/main"))},
        redis=Redis(url="redis://:redis-word@127.0.0.1:6379/0"),
        channels=Channels(webhook=Webhook(url="https://example.test/hook", secret="hook-word")),
    )
    assert secrets(config) == ["hook-word", "p%40ss-word", "p@ss-word", "redis-word"]


def test_a_configuration_without_secrets_has_none() -> None:
    assert secrets(Config()) == []
