from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import BadInput
from pipelines.events.embedded import EmbeddedValkey, socket_path
from pipelines.events.redis_streams import connect
from pipelines.testing import until


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_private_socket_no_tcp_and_the_same_data_again(tmp_path: Path) -> None:
    folder = tmp_path / "bus"
    with EmbeddedValkey(folder) as bus:
        client = connect(bus.url)
        client.set("a", "1")
        assert client.config_get("port")["port"] == "0"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket_path(folder).stat().st_mode) == 0o700
        bus.start()  # harmless
        client.close()
    assert not bus.alive()
    with EmbeddedValkey(folder) as bus:
        assert connect(bus.url).get("a") == b"1"


def test_a_second_instance_is_refused_with_the_first_one_s_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.events.embedded._LOCK_TIMEOUT_S", 0.1)
    with EmbeddedValkey(tmp_path) as bus:
        with pytest.raises(BadInput, match=rf"process {os.getpid()}.*data:"):
            EmbeddedValkey(tmp_path).start()
        assert connect(bus.url).ping()


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("学校" * 20) / "bus with spaces % ?"
    with EmbeddedValkey(folder) as bus:
        assert connect(bus.url).ping()
        assert len(os.fsencode(socket_path(folder))) < 104
        assert stat.S_IMODE(socket_path(folder).parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file"):
        EmbeddedValkey(tmp_path / "file" / "bus").start()


PARENT = """
import sys, time, threading
from pathlib import Path
from pipelines.events.embedded import EmbeddedValkey
bus = EmbeddedValkey(Path(sys.argv[1])); bus.start()
print(bus.pid, flush=True)
threading.Event().wait()
"""


def test_it_dies_with_a_parent_that_was_killed_and_can_start_at_once(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    client = connect(EmbeddedValkey(tmp_path).url)
    client.set("kept", "1")
    client.close()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    with EmbeddedValkey(tmp_path) as bus:
        assert gone(pid)
        assert connect(bus.url).get("kept") == b"1"


def test_run_once_mends_a_killed_server(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as bus:
        client = connect(bus.url)
        client.set("kept", "1")
        first = bus.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: not bus.alive())
        bus.run_once()
        assert bus.pid != first
        assert connect(bus.url).get("kept") == b"1"


def test_a_damaged_append_only_file_says_so(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path):
        pass
    for file in (tmp_path / "appendonlydir").glob("*.incr.aof"):
        file.write_bytes(b"*2\r\n$nonsense" * 50)
    with pytest.raises(Exception, match="embedded bus ended at once"):
        EmbeddedValkey(tmp_path).start()
