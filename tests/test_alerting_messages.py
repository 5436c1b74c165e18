"""What people read: every kind and reason in both languages, and templates of a site's own, good and bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from pipelines.alerting.facts import Manner
from pipelines.alerting.messages import Letters, Why, why_of
from pipelines.alerting.samples import samples
from pipelines.alerting.templating import TemplateFault
from pipelines.alerting.vocabulary import duration, vocabulary, words_for
from pipelines.events.envelope import incident_event
from pipelines.testing import an_incident
from pipelines.wording import Language
from vision.incident import Phase, Quantity

LINK = "https://gw.example/incidents/{id}"
PARKED = {"standing": Quantity(200.0, "s"), "vehicle": Quantity("car", ""), "box_x1": Quantity(0.1, "norm")}
CLOSE = {
    "people": Quantity(4, "people"),
    "down_for": Quantity(4.2, "s"),
    "in_words_zh": Quantity("疑似欺凌，待人工判断：1人倒地4秒，旁边有3人", ""),
    "in_words_en": Quantity("Possible bullying: 1 down for 4 s with 3 near", ""),
}


def letters(language: Language = "zh-CN", folder: Path | None = None) -> Letters:
    return Letters(Manner(language, "Asia/Shanghai", "北门小学", LINK), folder)


def event(**changes: Any) -> dict[str, Any]:
    return incident_event(an_incident(**changes), "v", "北门").to_dict()


def own(folder: Path, part: str, text: str, language: str = "zh-CN") -> Path:
    path = folder / language / f"{part}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_parked_car_in_chinese() -> None:
    said = letters().compose("opened", event(evidence=PARKED))
    assert said.title == "【二级 警告】北门 / kerb：违法停车，新报警"
    assert said.line == "二级 警告 · 违法停车 · 发生 · 北门 / kerb · 停留3分20秒，车辆小型汽车"
    assert said.body.splitlines() == [
        "事件：违法停车，发生",
        "级别：二级 警告",
        "地点：北门小学，北门（gate-north），区域 kerb",
        "时间：2026-09-21 22:13:20 起，已持续3分10秒",
        "依据：停留3分20秒；车辆小型汽车",
        "处置：请到现场劝离车辆，并确认车内是否有人；到场后在系统中确认。",
        "编号：case-1",
        "详情：https://gw.example/incidents/case-1",
    ]


def test_the_same_in_english_and_over() -> None:
    said = letters("en").compose("closed", event(evidence=PARKED, phase=Phase.CLOSED))
    assert said.title == "[level 2 warning] 北门 / kerb: illegal parking, over"
    assert said.body.splitlines() == [
        "What:     illegal parking, closed",
        "Level:    level 2 warning",
        "Where:    北门小学, 北门 (gate-north), zone kerb",
        "When:     2026-09-21 22:13:20 to 2026-09-21 22:20:00, 6 min 40 s",
        "Evidence: standing for 3 min 20 s; vehicle car",
        "Outcome:  the vehicle has left",
        "To do:    It is over, nobody need go; enter the outcome in the system.",
        "Id:       case-1",
        "More:     https://gw.example/incidents/case-1",
    ]


def test_possible_bullying_tells_its_sentence_and_that_a_person_judges() -> None:
    said = letters().compose("opened", event(kind="possible_bullying", severity=1, evidence=CLOSE))
    assert "情况：疑似欺凌，待人工判断：1人倒地4秒，旁边有3人" in said.body
    assert "是否属实由人工判断" in said.body
    assert said.line.endswith("疑似欺凌，待人工判断：1人倒地4秒，旁边有3人")


@pytest.mark.parametrize(("language", "word"), [("zh-CN", "疑似"), ("en", "possible")])
@pytest.mark.parametrize("why", [why for why in get_args(Why) if why not in ("digest", "test")])
def test_bullying_is_only_ever_possible_whatever_a_template_says(
    tmp_path: Path, language: Language, word: str, why: Why
) -> None:
    for part in ("title", "line", "body"):
        own(tmp_path, part, "校园欺凌！Bullying!", language)
    for made in (letters(language), letters(language, tmp_path)):
        said = made.compose(why, event(kind="possible_bullying", evidence=CLOSE))
        assert all(word in text.lower() for text in (said.title, said.line, said.body))


def test_escalation_names_who_did_not_answer_and_how_long() -> None:
    asked = event(evidence=PARKED)
    asked["data"]["details"] = {"unanswered_by": ["张三", "李四"], "waited_s": 60}
    assert letters().compose("escalated", asked).body.startswith("张三、李四在1分钟内未确认，现上报给您")
    assert letters("en").compose("escalated", asked).body.startswith("张三, 李四 did not answer within 1 min")
    assert (
        letters("en").compose("unreached", asked).body.startswith("The alert below reached nobody (张三, 李四) within")
    )
    assert letters().compose("unreached", asked).title == "【二级 警告】北门 / kerb：违法停车，报警未送达"


def test_a_digest_says_what_it_holds_and_what_it_leaves_out() -> None:
    incidents = [event(incident_id=f"case-{number}", evidence=PARKED) for number in range(60)]
    incidents += [event(kind="crowding", incident_id="crowd")]
    digest = {
        "type": "alert.digest",
        "data": {**incidents[0]["data"], "incidents": incidents, "count": 61, "details": {"window_s": 60}},
    }
    said = letters("en").compose("digest", digest)
    assert said.title == "[digest] 北门小学: 61 alerts"
    assert said.line == "digest: 61 alerts at 北门小学 in 1 min: illegal parking × 60, crowding"
    assert said.body.count("\n- ") == 50
    assert "11 more are not listed." in said.body
    assert "共 61 起：违法停车 × 60，人群聚集" in letters().compose("digest", digest).body


def test_what_concerns_no_camera_is_told_of_the_site() -> None:
    alarm = event(
        kind="alert_unreached",
        camera_id="-",
        zone_id="",
        severity=1,
        evidence={"alerts": Quantity(3, "alerts"), "incident": Quantity("case-7", "")},
    )
    said = letters().compose("opened", alarm)
    assert said.title == "【一级 特别重大】北门小学：报警未送达任何人，新报警"
    assert "地点：北门小学\n" in said.body
    assert "依据：未送达3条报警；最早的事件case-7" in said.body
    assert "gatewatch alerts dead" in said.body


def test_a_drill_and_a_test_say_so_first() -> None:
    drill = incident_event(an_incident(), "v", "北门", drill=True).to_dict()
    said = letters().compose("opened", drill)
    assert all(text.startswith("【演练】") for text in (said.title, said.line, said.body))
    said = letters("en").compose("test", {**drill, "type": "alert.test"})
    assert said.title.startswith("[test]")
    assert "Nothing happened" in said.body


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_sample_is_said_in_whole_sentences_without_a_hole(language: Language) -> None:
    for why, sample in samples():
        said = letters(language).compose(why, sample)
        for text in (said.title, said.line, said.body):
            assert text
            assert not any(hole in text for hole in ("{", "}", "None", "：\n", ": \n"))
        assert "\n" not in said.title + said.line


def test_text_from_outside_stays_on_its_line() -> None:
    named = incident_event(an_incident(zone_id="kerb\r\nBcc: x\x1b[31m"), "v", "北门\n{{ 7*7 }}").to_dict()
    said = letters("en").compose("opened", named)
    assert "\n" not in said.title + said.line
    assert "{{ 7*7 }}" in said.line
    assert "\x1b" not in said.body


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [
        (0, "0秒", "0 s"),
        (0.4, "0秒", "0 s"),
        (60, "1分钟", "1 min"),
        (200, "3分20秒", "3 min 20 s"),
        (3600, "1小时", "1 h"),
        (3725, "1小时2分钟", "1 h 2 min"),
        (90_061, "1天1小时", "1 d 1 h"),
        (-5, "0秒", "0 s"),
    ],
)
def test_durations(seconds: float, chinese: str, english: str) -> None:
    assert (duration("zh-CN", seconds), duration("en", seconds)) == (chinese, english)


def test_both_languages_have_words_for_the_same_things() -> None:
    assert vocabulary("zh-CN") == vocabulary("en")
    assert all(words_for(language, f"why.{why}") for why in get_args(Why) for language in ("zh-CN", "en"))


@pytest.mark.parametrize(
    ("purpose", "changes", "first", "why"),
    [
        ("incident", {}, True, "opened"),
        ("incident", {"phase": Phase.UPDATED}, True, "opened"),
        ("incident", {"phase": Phase.UPDATED}, False, "worse"),
        ("incident", {"phase": Phase.CLOSED}, False, "closed"),
        ("warning", {"phase": Phase.WARNED}, True, "warned"),
        ("escalated", {}, True, "escalated"),
    ],
)
def test_why_a_message_is_sent(purpose: str, changes: dict[str, Any], first: bool, why: Why) -> None:
    assert why_of(purpose, event(**changes), first=first) == why
    assert why_of(purpose, {**event(**changes), "type": "alert.unreached"}, first=first) == "unreached"


def test_a_template_of_the_sites_own_is_used_and_the_rest_is_shipped(tmp_path: Path) -> None:
    own(tmp_path, "title", "{{ site }}有事：{{ incident.kind_name }}{# #}\n")
    own(tmp_path, "title", "not ours", "en")
    made = letters(folder=tmp_path)
    assert made.replaced == ("title",)
    said = made.compose("opened", event())
    assert said.title == "北门小学有事：违法停车"
    assert said.body.startswith("事件：违法停车")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a\n{{ incident.kind_name", ":2: "),
        ("a\nb\n{% if why %}", ":3: "),
        ("\n{{ incidnet.kind }}", ":2: there is no 'incidnet' here"),
        ("{{ incident.kid }}", ":1: there is no 'kid' here"),
        ("\n\n{{ ''.__class__.__mro__ }}", ":3: a template may not do this"),
        ("{% include '/etc/passwd' %}", ":1: "),
        ("{{ incident.level / 0 }}", ":1: ZeroDivisionError"),
        ("{% if why == 'opened' %}x{% endif %}", ":1: says nothing for warned"),
    ],
)
def test_a_broken_template_is_told_with_file_and_line(tmp_path: Path, text: str, fault: str) -> None:
    path = own(tmp_path, "body", text)
    with pytest.raises(TemplateFault) as caught:
        letters(folder=tmp_path).try_all(samples())
    assert str(caught.value).startswith(f"{path}{fault}")


def test_files_that_are_no_templates(tmp_path: Path) -> None:
    with pytest.raises(TemplateFault, match="no such folder"):
        letters(folder=tmp_path / "missing")
    path = own(tmp_path, "line", "")
    path.write_bytes("违法\n停车".encode("gb18030"))
    with pytest.raises(TemplateFault, match=r"line\.txt:1: not UTF-8"):
        letters(folder=tmp_path)
    path.write_bytes(b"x" * 70_000)
    with pytest.raises(TemplateFault, match="larger than 64 KiB"):
        letters(folder=tmp_path)


def test_a_template_that_fails_at_a_real_event_does_not_cost_the_message(tmp_path: Path) -> None:
    own(tmp_path, "title", "{{ 1 / (incident.level - 2) }}")
    assert letters(folder=tmp_path).compose("opened", event(severity=2)).title.startswith("【二级 警告】")
    assert letters(folder=tmp_path).compose("opened", event(severity=3)).title == "1.0"
