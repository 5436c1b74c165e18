"""What a good configuration becomes: values, variables, version."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import load
from pipelines.config.loader import load_text, version_of
from pipelines.config.quantities import QuantityError, format_bytes, format_seconds, parse_bytes, parse_seconds
from pipelines.errors import ConfigError

CAMERA = """
cameras:
  gate:
    main: {{url: "{url}"}}
    zones:
      kerb: {{polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}
    rules:
      - {{kind: illegal_parking, zone: kerb, after: {after}}}
"""


def camera(url: str = "rtsp://192.0.2.1/1", after: str = "3m") -> str:
    return CAMERA.format(url=url, after=after)


def test_no_file_gives_the_defaults() -> None:
    loaded = load(None)
    assert loaded.path is None
    assert loaded.config.cameras == {}
    assert loaded.config.redis.url is None
    assert loaded.config.worker.metrics.host == "127.0.0.1"


def test_quantities_become_seconds_and_bytes() -> None:
    text = camera(after="1.5m") + "recording: {keep: 30d, reserve_free: 2GB, keep_incidents: 60}"
    config = load_text(text, "x.yaml", {})
    assert config.cameras["gate"].rules[0].after == 90.0
    assert config.recording.keep == 30 * 86400
    assert config.recording.keep_incidents == 60
    assert config.recording.reserve_free == 2_000_000_000


def test_quantities_are_written_in_the_largest_unit_that_fits_and_read_back() -> None:
    said = ["0s", "250ms", "1s", "90s", "3m", "36h", "1d", "30d"]
    assert [format_seconds(parse_seconds(text)) for text in said] == said
    assert format_seconds(parse_seconds("2w")) == "14d"
    assert parse_seconds(format_seconds(1 / 3)) == pytest.approx(1 / 3, abs=1e-9)
    said = ["0B", "1B", "1000B", "1KiB", "1025B", "50GiB", "3TiB"]
    assert [format_bytes(parse_bytes(text)) for text in said] == said
    for wrong in (-1, 2**61, "-1s", "1 fortnight", "s", "", True, None, [], float("nan"), float("inf")):
        for parse in (parse_seconds, parse_bytes):
            with pytest.raises(QuantityError):
                parse(wrong)


def test_yaml_1_2_knows_no_sexagesimal_numbers_dates_or_yes() -> None:
    config = load_text("site: {name: yes}\nschedules: {early: daily 06:00-07:00}\n", "x.yaml", {})
    assert config.site.name == "yes"
    config = load_text("calendar: {terms: [2026-09-01/2027-01-20], extra_school_days: [2026-10-10]}", "x.yaml", {})
    assert config.calendar.extra_school_days == ["2026-10-10"]


def test_variables_come_from_the_environment_and_may_have_a_default() -> None:
    text = camera(url="rtsp://${USER_1}:${PASSWORD_1}@${HOST:-192.0.2.9}/$${literal}")
    config = load_text(text, "x.yaml", {"USER_1": "guard", "PASSWORD_1": "a: b # c"[:2]})
    assert config.cameras["gate"].main.url == "rtsp://guard:a:@192.0.2.9/${literal}"


def test_variable_becomes_a_number_only_where_one_is_wanted() -> None:
    block = "worker:\n  metrics:\n    port: ${PORT}\nsite:\n  name: ${NAME}\n"
    config = load_text(block, "x.yaml", {"PORT": "9000", "NAME": "007"})
    assert config.worker.metrics.port == 9000
    assert config.site.name == "007"
    with pytest.raises(ConfigError, match="in double quotes"):
        load_text("worker: {metrics: {port: ${PORT}}}\n", "x.yaml", {"PORT": "9000"})


def test_merge_keys_and_aliases_work_and_own_keys_win() -> None:
    text = """
cameras:
  a: &common
    fps: 3
    name: first
    main: {url: a.mp4}
  b:
    <<: *common
    main: {url: b.mp4}
"""
    config = load_text(text, "x.yaml", {})
    assert (config.cameras["b"].fps, config.cameras["b"].name, config.cameras["b"].main.url) == (3, "first", "b.mp4")


def test_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes("\ufeff".encode() + camera().replace("\n", "\r\n").encode())
    assert list(load(path).config.cameras) == ["gate"]


def test_version_changes_with_a_zone_or_a_limit_but_not_with_a_password() -> None:
    def version(text: str, **environ: str) -> str:
        return version_of(load_text(text, "x.yaml", environ))

    url = "rtsp://u:${PASSWORD}@192.0.2.1/1"
    first = version(camera(url), PASSWORD="one")
    assert version(camera(url), PASSWORD="two") == first
    assert version("# a comment\n" + camera(url), PASSWORD="one") == first
    assert version(camera(url, after="180s"), PASSWORD="one") == first
    assert version(camera(url, after="181s"), PASSWORD="one") != first
    assert version(camera(url).replace("0.8]", "0.81]"), PASSWORD="one") != first
    assert len(first) == 12
    assert int(first, 16) >= 0
