from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator

import pytest

from pipelines.logs import configure, fields, mask_urls
from pipelines.testing import FakeClock, until


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("rtsp://admin:word@10.0.0.2:554/1", "rtsp://***@10.0.0.2:554/1"),
        ("a rtsp://u:p@ss@host/x and redis://:pw@h:6379/0.", "a rtsp://***@host/x and redis://***@h:6379/0."),
        ("https://token@host/", "https://***@host/"),
        ("rtsp://u:a#b?c@host/1", "rtsp://***@host/1"),
        ("postgresql+psycopg://u:p@h/db", "postgresql+psycopg://***@h/db"),
        ("rtsp://host/path/a@b", "rtsp://host/path/a@b"),
        ("mail someone@example.org", "mail someone@example.org"),
        ("", ""),
    ],
)
def test_credentials_in_urls_are_masked(text: str, masked: str) -> None:
    assert mask_urls(text) == masked


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_secret_in_any_part_of_a_record(style: str) -> None:
    out = io.StringIO()
    configure(style, secrets=["s3cr/et pw", "ab"], stream=out)  # type: ignore[arg-type]
    log = logging.getLogger("test.secrets")
    log.info(
        "pulling %s", "rtsp://u:hunter2@cam/1", extra=fields(key="s3cr/et pw", nested={"url": ["rtsp://a:hunter2@c"]})
    )
    try:
        raise ValueError("refused: s3cr%2Fet%20pw at http://u:hunter2@h/")
    except ValueError:
        log.exception("failed with s3cr/et pw")
    said = out.getvalue()
    assert "hunter2" not in said
    assert "s3cr" not in said
    assert said.count("***") >= 5
    # Two letters are no secret: they would blot out words.
    log.info("cab")
    assert "cab" in out.getvalue()


def test_json_lines_carry_fields_and_utc() -> None:
    out = io.StringIO()
    configure("json", stream=out)
    logging.getLogger("test.json").warning("camera is away", extra=fields(camera="北门", seconds=1.5))
    entry = json.loads(out.getvalue())
    assert (entry["level"], entry["logger"], entry["message"]) == ("warning", "test.json", "camera is away")
    assert (entry["camera"], entry["seconds"]) == ("北门", 1.5)
    assert entry["time"].endswith("Z")


def test_text_cannot_be_forged_by_a_line_break() -> None:
    out = io.StringIO()
    configure("text", stream=out)
    logging.getLogger("test.text").info("camera says %s", "x\n12:00:00.000 ERROR all is lost")
    assert out.getvalue().count("\n") == 1


def test_a_flood_is_said_once_and_counted() -> None:
    out, clock = io.StringIO(), FakeClock()
    configure("text", stream=out, clock=clock)
    log = logging.getLogger("test.flood")
    for _ in range(100):
        log.warning("late frame %d", 1, extra=fields(camera="a"))
    log.warning("late frame %d", 1, extra=fields(camera="b"))
    assert len(out.getvalue().splitlines()) == 2  # one per camera
    clock.advance(1.1)
    log.info("something else")
    lines = out.getvalue().splitlines()
    assert [line for line in lines if "again, 99 times" in line]
    assert len(lines) == 4


def test_the_count_of_a_flood_comes_without_a_further_message() -> None:
    out = io.StringIO()
    configure("text", stream=out)
    log = logging.getLogger("test.flood.timer")
    began_s = time.monotonic()
    for _ in range(5):
        log.error("disk is full")
    until(lambda: "again, 4 times" in out.getvalue())
    assert time.monotonic() - began_s >= 0.9
