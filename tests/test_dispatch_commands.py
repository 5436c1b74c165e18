"""What a person does at a site with a running dispatcher: asks, answers, sends again what was dead."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.events.envelope import incident_event
from pipelines.events.redis_streams import DISPATCHERS, STREAM, dead_letters
from pipelines.store.queries import AlertFilter, list_alerts
from pipelines.testing import an_incident, until
from pipelines.testing_site import SECRET, Receiver, Site
from vision.incident import Phase


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, Receiver())
    yield made
    made.end()


def names(count: int) -> list[str]:
    return [f"case-{number:04d}" for number in range(count)]


def test_the_commands_tell_what_happened(site: Site) -> None:
    done = subprocess.run(site.command("incidents", "list"), capture_output=True, text=True, check=False)
    assert (done.returncode, "no store" in done.stderr) == (2, True)
    site.dispatcher()
    until((site.folder / "gatewatch.db").exists, 60, "the dispatcher's start")
    site.publish(names(3))
    site.publish(["case-0002"], 2, Phase.CLOSED)
    until(lambda: len(site.receiver.taken) >= 4 and len(site.lines()) >= 4, 60)
    status, test = site.ask("alerts", "test")
    assert (status, test["ok"]) == (0, True)
    assert {line["channel"]: line["state"] for line in test["channels"]} == {"jsonl": "sent", "webhook": "sent"}
    status, listed = site.ask("incidents", "list", "--state", "open", "--from", "2026-01-01")
    assert (status, [row["incident_id"] for row in listed]) == (0, ["case-0001", "case-0000"])
    assert listed[0]["opened_at"] == "2026-09-21T14:16:20.000Z"
    _, shown = site.ask("incidents", "show", "case-0002")
    assert [alert["state"] for alert in shown["alerts"]] == ["sent"]
    deliveries = shown["alerts"][0]["deliveries"]
    assert [sent["state"] for sent in deliveries] == ["sent"] * 4
    assert all(sent["delay_s"] == round(sent["finished_s"] - sent["event_s"], 3) for sent in deliveries)
    assert all(
        sent["receipts"][-1]["outcome"] == "sent" and sent["receipts"][-1]["duration_s"] > 0 for sent in deliveries
    )
    assert all(len(sent["receipts"]) == sent["attempts"] for sent in deliveries)
    for words, told in (
        (["incidents", "list"], "case-0002"),
        (["incidents", "show", "case-0000"], "zone kerb"),
        (["incidents", "show", "case-0001"], "s after the event"),
        (["alerts", "list"], "test-"),
        (["alerts", "dead"], "nothing is dead"),
    ):
        done = subprocess.run(site.command(*words), capture_output=True, text=True, check=False)
        assert (done.returncode, told in done.stdout) == (0, True), done
    done = subprocess.run(site.command("incidents", "show", "nothing"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_person_answers_by_command(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        """As a process would, without the second that each one takes to start."""
        capsys.readouterr()
        status = main([*words, "-c", str(site.config)])
        out, err = capsys.readouterr()
        return status, out, err

    def ask(*words: str) -> tuple[int, Any]:
        status, out, _ = run(*words, "--json")
        return status, json.loads(out)

    site.config.write_text(
        site.config.read_text()
        + "cameras: {gate-north: {main: {url: a.mp4}, zones: {kerb: {polygon: [[0, 0.1], [1, 0.1], [1, 1]]}},\n"
        + "  rules: [{kind: illegal_parking, zone: kerb}]}}\n"
    )
    site.dispatcher()
    until((site.folder / "gatewatch.db").exists, 60, "the dispatcher's start")
    picture = site.folder / "seen.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0 a picture")
    words = ["--kind", "other", "--camera", "gate-north", "--note", "a fence is down", "--picture", str(picture)]
    status, raised = ask("incidents", "raise", *words)
    incident_id = raised["incident_id"]
    until(lambda: (incident_id, 1) in {taken[1:] for taken in site.receiver.taken}, 60)
    until(lambda: ask("incidents", "show", incident_id)[1]["thread"]["state"] == "sent", 60)
    status, thread = ask("alerts", "acknowledge", incident_id[:12])
    assert (status, thread["state"]) == (0, "acknowledged")
    status, _, said = run("alerts", "acknowledge", incident_id)
    assert (status, "was acknowledged by" in said) == (1, True)
    assert ask("alerts", "onsite", incident_id)[1]["state"] == "on_site"
    status, thread = ask("alerts", "close", incident_id, "--verdict", "true", "--note", "mended")
    assert (status, thread["state"]) == (0, "closed")
    assert ask("incidents", "verdict", incident_id, "unsure")[0] == 0
    assert "unsure" in run("incidents", "show", incident_id)[1]
    _, shown = ask("incidents", "show", incident_id)
    assert [line["action"] for line in shown["log"]] == ["acknowledged", "on_site", "closed:true", "verdict:unsure"]
    assert (shown["verdict"], shown["phase"], shown["pictures"][0]["role"]) == ("unsure", "closed", "by_hand")
    status, made = ask("alerts", "snooze", "gate-north", "illegal_parking:kerb", "--until", "2h", "--reason", "works")
    assert status == 0
    assert [row["reason"] for row in ask("alerts", "snoozes")[1]] == ["works"]
    assert ask("alerts", "unsnooze", str(made["snooze"]))[0] == 0
    assert ask("alerts", "snoozes") == (0, [])
    for bad in (
        ["alerts", "snooze", "gate-south", "x", "--until", "2h", "--reason", "works"],
        ["alerts", "snooze", "gate-north", "crowding:kerb", "--until", "2h", "--reason", "works"],
        ["alerts", "acknowledge", "nothing"],
        ["incidents", "raise", "--kind", "dragons", "--camera", "gate-north"],
        ["incidents", "raise", "--kind", "other", "--camera", "gate-north", "--picture", str(site.config)],
    ):
        status, out, said = run(*bad)
        assert (status, out, said.count("\n")) == (2, "", 1), said


def test_a_dead_delivery_is_seen_and_sent_again(site: Site) -> None:
    site.receiver.server.shutdown()
    site.receiver.server.server_close()
    refusing = Receiver(fails=False)
    site.receiver = refusing

    class Refusing:
        on = True

    original = refusing.server.RequestHandlerClass.do_POST  # type: ignore[attr-defined]

    def refuse(handler: BaseHTTPRequestHandler) -> None:
        if not Refusing.on:
            original(handler)
            return
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.send_response(404)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    refusing.server.RequestHandlerClass.do_POST = refuse  # type: ignore[attr-defined]
    before = site.config.read_text().split("channels:")[0]
    webhook = f"{{url: '{refusing.url}', secret: '{SECRET}'}}"
    site.config.write_text(f"{before}channels: {{log: false, webhook: {webhook}}}\n")
    site.dispatcher()
    site.publish(["case-0000"])
    until((site.folder / "gatewatch.db").exists, 60)
    until(lambda: site.ask("alerts", "dead")[1]["deliveries"], 60)
    (row,) = site.query(list_alerts, AlertFilter())
    assert row["state"] == "failed"
    Refusing.on = False
    (number,) = (row["delivery_id"] for row in site.ask("alerts", "dead")[1]["deliveries"])
    assert site.ask("alerts", "resend", str(number)) == (0, {"deliveries": [number], "messages": []})
    until(lambda: refusing.taken, 60)
    until(lambda: site.query(list_alerts, AlertFilter())[0]["state"] == "sent", 60)
    assert site.ask("alerts", "dead") == (0, {"deliveries": [], "messages": []})


def test_a_message_that_was_laid_aside_is_handled_when_it_is_sent_again(site: Site) -> None:
    # Dispatchers died of it again and again: it was handed out nine times.
    site.client.xgroup_create(STREAM, DISPATCHERS, id="0", mkstream=True)
    event = incident_event(an_incident("case-0000"), "v1", "North")
    entry = site.client.xadd(STREAM, {"event": event.to_json()}).decode()
    site.client.xreadgroup(DISPATCHERS, "gone", {STREAM: ">"})
    site.client.xclaim(STREAM, DISPATCHERS, "gone", 0, [entry], idle=60_000, retrycount=9)
    site.dispatcher()
    until(lambda: dead_letters(site.client), 60, "laying it aside")
    until(lambda: len(site.receiver.taken) == 1, 60, "the alarm about it")
    status, dead = site.ask("alerts", "dead")
    assert (status, [letter["entry"] for letter in dead["messages"]]) == (1, [entry])
    assert "handed out 10 times and never done" in dead["messages"][0]["reason"]
    assert site.ask("alerts", "resend", "1-1") == (1, {"deliveries": [], "messages": []})
    assert site.ask("alerts", "resend", entry) == (0, {"deliveries": [], "messages": [entry]})
    until(lambda: "case-0000" in {incident for _, incident, _ in site.receiver.taken}, 60, "telling it after all")
    assert site.ask("alerts", "dead") == (0, {"deliveries": [], "messages": []})
    for bad in (["alerts", "resend"], ["alerts", "resend", "seven"], ["alerts", "resend", "7", "--all"]):
        done = subprocess.run(site.command(*bad), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_ready_when_it_works_and_not_when_the_bus_is_away(site: Site) -> None:
    port_log = site.folder / "dispatcher-0.log"
    site.config.write_text(site.config.read_text() + "redis: {url: 'redis://127.0.0.1:1/0'}\n")
    site.dispatcher()

    def port() -> int | None:
        for line in port_log.read_text().splitlines():
            entry = json.loads(line)
            if "port" in entry:
                return int(entry["port"])
        return None

    until(port, 60)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port()}/readyz", timeout=60)
    assert json.loads(caught.value.read())["failing"] == ["bus"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port()}/livez", timeout=60) as answer:
        assert answer.status == 200
