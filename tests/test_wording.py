from __future__ import annotations

from pipelines.wording import known_keys, word


def test_both_languages_have_words_for_the_same_things() -> None:
    assert known_keys("zh-CN") == known_keys("en")


def test_possible_bullying_is_never_called_a_fact() -> None:
    assert "疑似" in word("zh-CN", "kind.possible_bullying")
    assert "possible" in word("en", "kind.possible_bullying")


def test_a_name_without_words_stands_for_itself() -> None:
    assert word("en", "kind.guard_absent") == "guard_absent"
