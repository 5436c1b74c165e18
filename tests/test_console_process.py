"""`gatewatch console` as a process of its own: it answers, over TLS too, and goes when it is told."""

from __future__ import annotations

import datetime
import io
import json
import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from console.serve import serve
from pipelines.cli import main
from pipelines.clock import SystemClock
from pipelines.config import load
from pipelines.errors import BadInput
from pipelines.store.database import Database, sqlite_url
from pipelines.testing import until

GATEWATCH = (sys.executable, "-m", "pipelines.cli")


def certificate(folder: Path) -> dict[str, str]:
    """A certificate for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {"certificate": str(folder / "cert.pem"), "private_key": str(folder / "key.pem")}


def site(folder: Path, console: dict[str, object]) -> Path:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump({"data": str(folder / "data"), "console": console}))
    return path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gatewatch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process: (exit code, standard output, standard error)."""

    def run(*argv: str, given: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        code = main(argv)
        return code, *capsys.readouterr()

    return run


def test_the_console_answers_over_tls_prints_a_link_for_the_first_user_and_ends_when_told(tmp_path: Path) -> None:
    config = site(tmp_path, certificate(tmp_path))
    log = tmp_path / "console.log"
    with log.open("wb") as file:
        console = subprocess.Popen(
            [*GATEWATCH, "console", "-c", str(config), "--port", "0", "--health-port", "0"], stderr=file
        )
    try:
        until(lambda: "setup/" in log.read_text() or console.poll() is not None, 120, "the console is up")
        text = log.read_text()
        assert console.poll() is None, text
        link = re.search(r"https://127\.0\.0\.1:(\d+)(/setup/\S+)", text)
        assert link is not None
        assert not any(link[2] in line for line in text.splitlines() if line.startswith("{")), "the log has the link"
        context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        with urllib.request.urlopen(f"https://localhost:{link[1]}{link[2]}", context=context) as page:
            assert page.headers["Strict-Transport-Security"]
            assert "server" not in {name.lower() for name in page.headers}
        entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        health = next(one for one in entries if one["message"] == "health and metrics are served")
        with urllib.request.urlopen(f"http://127.0.0.1:{health['port']}/readyz") as ready:
            assert json.load(ready)["status"] == "ok"
        console.send_signal(signal.SIGTERM)
        assert console.wait(60) == 0
        assert "Traceback" not in log.read_text()
    finally:
        console.kill()
        console.wait()


@pytest.mark.parametrize(
    ("console", "message"),
    [
        ({"certificate": "/no/cert.pem", "private_key": "/no/key.pem"}, "console.certificate: there is no file"),
        ({"host": "192.0.2.1"}, "the console cannot listen on 192.0.2.1:8470"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, console: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        serve_once(site(tmp_path, console))


def test_a_certificate_with_another_key_is_told(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    mixed = certificate(one) | {"private_key": certificate(two)["private_key"]}
    with pytest.raises(BadInput, match="cannot be used together"):
        serve_once(site(tmp_path, mixed))


def serve_once(path: Path) -> None:
    loaded = load(path)
    stop = Event()
    stop.set()
    database = Database(sqlite_url(loaded.config.data))
    serve(loaded, database, SystemClock(), stop, health_port=0)


def test_users_and_tokens_by_command(tmp_path: Path, gatewatch: Run) -> None:
    config = ("-c", str(site(tmp_path, {})))
    made = gatewatch("user", "add", "Root", "--role", "admin", "--password-stdin", *config, given="long enough pass\n")
    assert made[:2] == (0, "user root may log in\n")
    code, _, said = gatewatch("user", "add", "li", "--role", "guard", "--password-stdin", *config, given="short\n")
    assert code == 2
    assert "12 to 256 characters" in said
    code, _, said = gatewatch("user", "add", "li", "--role", "guard", *config)
    assert code == 2
    assert "--password-stdin" in said
    code, _, said = gatewatch("user", "add", "li", "--role", "guard", "--cameras", "nowhere", *config)
    assert code == 2
    assert "there is no camera nowhere" in said
    given = json.loads(gatewatch("token", "add", "wall", "--role", "viewer", "--expires", "7d", "--json", *config)[1])
    assert re.fullmatch(r"gw_[0-9a-f]{12}_[\w-]{43}", given["token"])
    listed = gatewatch("token", "list", *config)[1]
    assert given["token_id"] in listed
    assert given["token"] not in listed
    assert gatewatch("token", "revoke", given["token_id"], *config)[0] == 0
    assert "revoked" in gatewatch("token", "list", *config)[1]
    changed = gatewatch("user", "password", "root", "--password-stdin", *config, given="another long pass\n")
    assert changed[0] == 0
    code, _, said = gatewatch("user", "revoke", "root", *config)
    assert code == 2
    assert "last administrator" in said
    (user,) = json.loads(gatewatch("user", "list", "--json", *config)[1])
    assert (user["name"], user["role"], user["cameras"]) == ("root", "admin", None)
    assert "password_hash" not in user
