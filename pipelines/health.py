"""`/livez`, `/readyz` and `/metrics` of one process, on one small HTTP server: the loopback unless told otherwise."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipelines.errors import BadInput
from pipelines.logs import fields
from pipelines.metrics import Metrics

_log = logging.getLogger(__name__)

#: One check: is it well, and why (not). It must answer quickly: it runs inside the request.
Check = Callable[[], tuple[bool, str]]


def evaluate(checks: Mapping[str, Check]) -> tuple[bool, dict[str, Any]]:
    """Run every check. The body names the failing ones: `{"status": "failing", "failing": ["redis"], "checks": {...}}`.

    A check that raises is a failing check, whatever it raised: a probe must always get an answer.
    """
    results: dict[str, dict[str, Any]] = {}
    for name, check in checks.items():
        try:
            ok, reason = check()
        except Exception as error:  # noqa: BLE001
            ok, reason = False, f"the check itself failed: {type(error).__name__}"
        results[name] = {"ok": ok, "reason": reason}
    failing = [name for name, result in results.items() if not result["ok"]]
    return not failing, {"status": "failing" if failing else "ok", "failing": failing, "checks": results}


class HealthServer:
    """Serves until stopped; the constructor opens nothing.

    `live` says whether the process should be restarted (keep it to what a restart mends), `ready` whether it does its
    work now.
    """

    def __init__(
        self,
        metrics: Metrics,
        ready: Mapping[str, Check],
        live: Mapping[str, Check] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._metrics = metrics
        self._ready = dict(ready)
        self._live = dict(live or {})
        self._host, self._port = host, port
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The bound port (useful with port 0)."""
        return self._port if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Raises: BadInput: the address cannot be bound."""
        try:
            server = ThreadingHTTPServer((self._host, self._port), self._handler())
        except (OSError, OverflowError) as error:
            raise BadInput(
                f"health and metrics cannot be served on {self._host}:{self._port}: {error}; "
                "choose another port (--health-port), or 0 for any free one"
            ) from error
        server.daemon_threads = True
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="health", daemon=True)
        self._thread.start()
        _log.info("health and metrics are served", extra=fields(host=self._host, port=self.port))

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5.0)
            self._server = self._thread = None

    def run(self, stop: threading.Event) -> None:
        self.start()
        try:
            stop.wait()
        finally:
            self.stop()

    def __enter__(self) -> HealthServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answer(self, path: str) -> tuple[int, bytes, str]:
        if path == "/metrics":
            return 200, *self._metrics.exposition()
        checks = {"/livez": self._live, "/readyz": self._ready}.get(path)
        if checks is None:
            body: dict[str, Any] = {"status": "not found", "paths": ["/livez", "/readyz", "/metrics"]}
            return 404, json.dumps(body).encode(), "application/json"
        ok, body = evaluate(checks)
        return 200 if ok else 503, json.dumps(body, ensure_ascii=False).encode(), "application/json"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            # A probe that opens a connection and says nothing must not hold a thread for ever.
            timeout = 10.0

            def do_GET(self) -> None:
                status, body, content_type = answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Probes come every few seconds; they are not news."""

        return Handler
