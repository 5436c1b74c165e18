"""The live reader against what cameras and networks do to it: restarts, silence, garbage, refused passwords, bad neighbours."""

from __future__ import annotations

import gc
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.media.ffmpeg import Ffmpeg, rtsp_input
from pipelines.media.file import FileSource
from pipelines.media.testing import Running, make_clip, through
from pipelines.samples.cameras import RtspServer, free_port
from pipelines.testing_relay import Relay


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    make_clip(folder / "a.mp4")
    return folder


@pytest.fixture(scope="module")
def server(clips: Path) -> Iterator[RtspServer]:
    server = RtspServer(clips)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def relay(server: RtspServer) -> Iterator[Relay]:
    relay = Relay(server.port).start()
    yield relay
    relay.stop()


def test_a_camera_that_restarts_is_read_again_and_time_goes_on(clips: Path) -> None:
    server = RtspServer(clips)
    server.start()
    try:
        with Running(server.url("a.mp4")) as running:
            before = running.take(5)
            server.stop()
            running.take_until(lambda: ("reconnect", "refused") in running.events)
            server.start()
            after = running.take(5)
        assert after[0].time_s > before[-1].time_s
        assert after[0].run_id != before[0].run_id
        assert running.reconnects() <= {"ended", "connection_lost", "refused", "garbage", "failed"}
    finally:
        server.stop()


def test_a_camera_that_falls_silent_is_found_out_and_read_again(relay: Relay) -> None:
    with Running(through(relay)) as running:
        running.take(3)
        relay.mode = "hold"
        running.take_until(lambda: ("reconnect", "no_data") in running.events)
        relay.mode = "pass"
        running.take(3)


def test_after_a_stall_old_pictures_keep_their_times_and_are_dropped_as_stale(relay: Relay) -> None:
    with Running(through(relay), read_timeout_s=30.0) as running:
        before = running.take(5)
        relay.mode = "hold"
        time.sleep(3.0)
        began_s = time.time()
        relay.mode = "pass"
        after = running.take(10)
    assert running.reconnects() == set()
    # Whatever was given is recent; nothing from the stall is dated to the moment when it came.
    assert all(frame.time_s > began_s - 1.3 for frame in after)
    assert all(b.time_s - a.time_s > 0.05 for a, b in itertools.pairwise(before + after))
    assert running.events["drop", "stale"] + running.events["drop", "superseded"] > 5


def test_garbage_in_the_middle_of_a_stream_ends_in_a_reconnect(relay: Relay) -> None:
    with Running(through(relay)) as running:
        running.take(3)
        relay.mode = "garbage"
        running.take_until(lambda: bool(running.reconnects()))
        relay.mode = "pass"
        running.take(3)
    assert running.reconnects() <= {
        "garbage",
        "no_data",
        "undecodable",
        "connection_lost",
        "ended",
        "failed",
        "timeout",
        # What libav says of a peer whose answer to the next connection it cannot read.
        "io_error",
    }


def test_a_refused_password_is_named_and_not_tried_again_and_again(server: RtspServer) -> None:
    relay = Relay(server.port, "admin", "right").start()
    try:
        with Running(through(relay, login="admin:wr0ng@")) as running:
            running.take_until(lambda: running.events["reconnect", "unauthorised"] >= 3)
        assert running.clock.waits_s[0] >= 15
        assert running.clock.waits_s[2] >= 60
        assert "wr0ng" not in running.reader.last_error
        with Running(through(relay, login="admin:right@")) as running:
            assert running.take(3)
    finally:
        relay.stop()


def test_ffmpeg_logs_in_with_a_hidden_address_as_well(server: RtspServer, tmp_path: Path) -> None:
    relay = Relay(server.port, "admin", "p@ss word").start()
    try:
        source = rtsp_input(through(relay, login="admin:p%40ss%20word@"))
        out = tmp_path / "copy.ts"
        process = Ffmpeg.find().spawn(source.node.output(str(out), c="copy", t=2), source)
        assert b"ss%20word" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert process.wait(90) == 0, process.last_words()
        assert len(list(FileSource(str(out), "gate"))) > 10
    finally:
        relay.stop()


def silent_server(answer: bytes) -> tuple[socket.socket, int, list[socket.socket]]:
    """Accepts everybody, sends `answer`, and no more. The last value is its ends of the connections, all kept open."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            held.append(client)
            client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener, int(listener.getsockname()[1]), held


def test_a_camera_that_accepts_and_says_nothing_times_out() -> None:
    listener, port, _ = silent_server(b"")
    with Running(f"rtsp://u:secret@127.0.0.1:{port}/x", open_timeout_s=1.0) as running:
        running.take_until(lambda: ("reconnect", "timeout") in running.events)
    listener.close()
    assert "secret" not in running.reader.last_error


def test_a_bad_camera_harms_no_other_and_leaks_nothing(server: RtspServer, capfd: pytest.CaptureFixture[str]) -> None:
    listener, port, held = silent_server(os.urandom(4000))
    bad = [
        f"rtsp://u:secret@127.0.0.1:{port}/x",
        f"rtsp://u:secret@127.0.0.1:{free_port()}/x",
        server.url("missing.mp4"),
    ]

    def counts() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")) - len(held), threading.active_count()  # noqa: PTH208

    def resident_bytes() -> int:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return resident - sum(frame.pixels.nbytes for frame in good.frames)

    with Running(server.url("a.mp4"), fps=5, read_timeout_s=20.0) as good:
        good.take(3)
        with Running(bad[0], open_timeout_s=0.3) as a, Running(bad[1]) as b, Running(bad[2]) as c:
            all_bad = (a, b, c)

            def tried(times: int) -> bool:
                return all(
                    sum(n for (kind, _), n in one.events.items() if kind == "reconnect") >= times for one in all_bad
                )

            good.take_until(lambda: tried(10))
            files, threads = counts()
            used = resident_bytes()
            good.take_until(lambda: tried(40), 60)
            assert counts()[0] <= files + 3
            assert counts()[1] == threads
            assert resident_bytes() - used < 12_000_000
        times = [frame.time_s for frame in good.take(10)]
        passed_over = sum(number for (kind, _), number in good.events.items() if kind == "drop")
    listener.close()
    assert good.reconnects() == set()
    assert all(later - earlier < 0.7 + 0.1 * passed_over for earlier, later in itertools.pairwise(times))
    assert a.reconnects() <= {"garbage", "failed", "timeout", "ended", "connection_lost"}
    assert b.reconnects() == {"refused"}
    assert c.reconnects() <= {"not_found", "refused", "failed"}
    said = capfd.readouterr()
    assert "secret" not in said.out + said.err


def test_waits_double_to_half_a_minute_with_jitter() -> None:
    with Running(f"rtsp://127.0.0.1:{free_port()}/x") as running:
        running.take_until(lambda: len(running.clock.waits_s) >= 9)
    for wait_s, full_s in zip(running.clock.waits_s, (1, 2, 4, 8, 16, 30, 30, 30, 30), strict=False):
        assert full_s / 2 <= wait_s <= full_s
    assert len(set(running.clock.waits_s[5:9])) > 1
