"""Where a process answers over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipelines.config.cameras import Section

Port = Annotated[int, Field(ge=1, le=65535)]


class Listen(Section):
    """Where a process answers over HTTP: /metrics for Prometheus, /livez and /readyz."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; the loopback unless told otherwise.")
    port: Port = Field(description="TCP port.")
