"""Runs the console until told to stop: migrated store, pages and API, health and metrics beside them."""

from __future__ import annotations

import logging
import secrets
import sys
from threading import Event, Thread
from typing import Final

import uvicorn

from console.app import create_app
from console.frame import Frame
from console.parts import Parts, parts_of
from pipelines.access.passwords import Passwords
from pipelines.clock import Clock
from pipelines.config.loader import LoadedConfig
from pipelines.config.schema import Config
from pipelines.config.secrets import secrets as known_secrets
from pipelines.errors import BadInput
from pipelines.health import HealthServer
from pipelines.logs import configure, fields
from pipelines.store.database import Database

_log = logging.getLogger(__name__)
#: Requests under way may end; what streams is told to at once.
_GRACE_S: Final = 5


class Server:
    """uvicorn in a thread of its own, so that signals stay with the process. `port` 0: any free one, known after `start`."""

    def __init__(self, parts: Parts, host: str, port: int) -> None:
        page = parts.config.console
        for name, path in (("certificate", page.certificate), ("private_key", page.private_key)):
            if path is not None and not path.is_file():
                raise BadInput(f"console.{name}: there is no file {path}")
        self._parts = parts
        self._where = f"{host}:{port}"
        app = create_app(parts)
        self.frame: Frame = app.state.frame
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                ssl_certfile=page.certificate,
                ssl_keyfile=page.private_key,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_S,
                lifespan="off",
                ws="none",
            )
        )
        self._thread = Thread(target=self._run, name="console", daemon=True)

    def _run(self) -> None:
        try:
            self._server.run()
        except SystemExit:
            # uvicorn ends so when it cannot bind; `start` says it.
            _log.debug("uvicorn gave up")

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def start(self) -> None:
        """Raises BadInput: the address cannot be bound, or the certificate not be used."""
        try:
            self._server.config.load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise BadInput(f"console.certificate and console.private_key cannot be used together: {error}") from error
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.02)
            if not self._thread.is_alive():
                raise BadInput(f"the console cannot listen on {self._where}: choose another console.port, or --port 0")

    def stop(self) -> None:
        self._parts.stop.set()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_GRACE_S + 5.0)

    def alive(self) -> tuple[bool, str]:
        """For /livez and /readyz."""
        return (True, "ok") if self._thread.is_alive() else (False, "the server ended")


def _mask_in_logs(config: Config) -> None:
    configure(secrets=known_secrets(config))


def serve(
    loaded: LoadedConfig,
    database: Database,
    clock: Clock,
    stop: Event,
    *,
    port: int | None = None,
    health_port: int | None = None,
) -> None:
    """Until `stop`. Raises BadInput: an address that cannot be bound, a certificate that cannot be used."""
    database.migrate()
    config = loaded.config
    parts = parts_of(config, database, clock, Passwords(), Event(), loaded.version, loaded.path)
    page = config.console
    server = Server(parts, page.host, page.port if port is None else port)
    health = HealthServer(
        parts.metrics,
        {"store": database.check, "server": server.alive},
        {"server": server.alive},
        host=page.metrics.host,
        port=page.metrics.port if health_port is None else health_port,
    )
    health.start()
    runs = [Thread(target=parts.live.run, args=(parts.stop,), name="live-pictures", daemon=True)]
    if loaded.path is not None:
        reloader = parts.following.reloader(loaded.path, clock, parts, server.frame, _mask_in_logs)
        runs.append(Thread(target=reloader.run, args=(parts.stop,), name="reload", daemon=True))
    for thread in runs:
        thread.start()
    try:
        server.start()
        scheme = "http" if page.certificate is None else "https"
        _log.info("the console is served", extra=fields(address=f"{scheme}://{page.host}:{server.port}/"))
        if page.certificate is None and page.host not in ("127.0.0.1", "::1", "localhost"):
            _log.warning("the console listens beyond this machine without TLS: passwords can be read on the way")
        if not parts.people.has_users():
            parts.setup_secret = secrets.token_urlsafe(24)
            link = f"{scheme}://{page.host}:{server.port}/setup/{parts.setup_secret}"
            # To the terminal and not to the log, which is kept and sent on.
            sys.stderr.write(f"There is no user yet. Make the first administrator, once, within the hour: {link}\n")
            sys.stderr.flush()
            parts.setup_until_s = clock.monotonic_s() + 3600.0
        while not clock.wait(stop, 0.5):
            if not server.alive()[0]:
                raise BadInput("the console's server ended by itself; its log says why")
    finally:
        parts.videos.close()
        parts.effects.close()
        server.stop()
        for thread in runs:
            thread.join(5.0)
        health.stop()
