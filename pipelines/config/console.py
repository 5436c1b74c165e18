"""The keys of `console:`: where the control room's pages and API answer, and how they are guarded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.config.cameras import Section
from pipelines.config.listen import Listen, Port
from pipelines.config.quantities import Seconds


class ConsolePage(Listen):
    """Where the console's process answers Prometheus and probes."""

    port: Port = Field(default=9468, description="TCP port.")


class Console(Section):
    """The control room: web pages and HTTP API."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; the loopback unless told otherwise.")
    port: Port = Field(default=8470, description="TCP port.")
    certificate: Path | None = Field(
        default=None, description="TLS certificate with its chain (PEM). Left out: plain HTTP."
    )
    private_key: Path | None = Field(default=None, description="The certificate's private key (PEM, no passphrase).")
    idle: Annotated[Seconds, Field(ge=60, le=86400)] = Field(
        default=1800.0, description="After so long without a sign of a person one is logged out; a wall is not."
    )
    longest: Annotated[Seconds, Field(ge=300, le=7 * 86400)] = Field(
        default=43200.0, description="After so long one has to log in again in any case."
    )
    wall: Annotated[Seconds, Field(ge=3600, le=366 * 86400)] = Field(
        default=30 * 86400.0, description="A wall (a screen that only hangs there) stays logged in for so long."
    )
    rate: Annotated[float, Field(ge=1, le=10000)] = Field(
        default=50.0, description="Requests a second that one user or token may make; four seconds' worth at once."
    )
    blurred_for: list[Literal["viewer", "guard", "analyst", "admin"]] = Field(
        default=["viewer"], description="Roles that see people in pictures only blurred."
    )
    metrics: ConsolePage = Field(default=ConsolePage(), description="Its page: /metrics, /livez and /readyz.")

    @model_validator(mode="after")
    def _both(self) -> Console:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("give both certificate and private_key, or neither")
        return self
