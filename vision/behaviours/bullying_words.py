"""The evidence of a possible incident as one sentence, in Chinese and English; always "possible", never a verdict."""

from __future__ import annotations

from collections.abc import Mapping

from vision.incident import Quantity


def in_english(evidence: Mapping[str, Quantity]) -> str:
    """For example: Possible bullying: 4 people around 1 for 23 s, 1 down for 8 s, contact score 0.81."""
    parts = []
    if "encircled_for" in evidence:
        parts.append(f"{_n(evidence, 'encircled_by')} people around 1 for {_n(evidence, 'encircled_for')} s")
    if "caught_for" in evidence:
        parts.append(f"1 run after and then held close for {_n(evidence, 'caught_for')} s")
    if "down_for" in evidence:
        parts.append(f"1 down for {_n(evidence, 'down_for')} s with {_n(evidence, 'down_by')} near")
    if "contact_score" in evidence:
        parts.append(f"contact score {evidence['contact_score'].value}")
    if "gathered" in evidence:
        more = int(evidence["gathered"].value)
        parts.append(f"{abs(more)} {'more' if more > 0 else 'fewer'} people near than 10 s before")
    if "fleeing" in evidence:
        parts.append(f"{_n(evidence, 'fleeing')} running away")
    return "Possible bullying: " + ", ".join(parts or [f"{_n(evidence, 'people')} people"])


def in_chinese(evidence: Mapping[str, Quantity]) -> str:
    """The same in Chinese."""
    parts = []
    if "encircled_for" in evidence:
        parts.append(f"{_n(evidence, 'encircled_by')}人围住1人{_n(evidence, 'encircled_for')}秒")
    if "caught_for" in evidence:
        parts.append(f"1人被追赶后被近身控制{_n(evidence, 'caught_for')}秒")
    if "down_for" in evidence:
        parts.append(f"1人倒地{_n(evidence, 'down_for')}秒，旁边有{_n(evidence, 'down_by')}人")
    if "contact_score" in evidence:
        parts.append(f"肢体冲突评分{evidence['contact_score'].value}")
    if "gathered" in evidence:
        more = int(evidence["gathered"].value)
        parts.append(f"附近比10秒前{'多' if more > 0 else '少'}{abs(more)}人")
    if "fleeing" in evidence:
        parts.append(f"{_n(evidence, 'fleeing')}人跑开")
    return "疑似欺凌，待人工判断：" + "，".join(parts or [f"{_n(evidence, 'people')}人"])


def _n(evidence: Mapping[str, Quantity], name: str) -> str:
    return f"{float(evidence[name].value):.0f}" if name in evidence else "?"
