"""How many people a crowd has, as one sentence, in Chinese and English: what was seen, what was estimated, and how sure."""

from __future__ import annotations

from collections.abc import Mapping

from vision.incident import Quantity


def in_english(evidence: Mapping[str, Quantity]) -> str:
    """For example: Crowding: at least 14 people, estimated 31 ± 6, 3.42 per square metre where it is densest."""
    seen, people, error = (_n(evidence, name) for name in ("people_seen", "people", "people_error"))
    dense = f", {evidence['density'].value} per square metre where it is densest" if "density" in evidence else ""
    return f"Crowding: at least {seen} people, estimated {people} ± {error}{dense}"


def in_chinese(evidence: Mapping[str, Quantity]) -> str:
    """The same in Chinese."""
    seen, people, error = (_n(evidence, name) for name in ("people_seen", "people", "people_error"))
    dense = f"，最密处每平方米{evidence['density'].value}人" if "density" in evidence else ""
    return f"人群聚集：至少{seen}人，估计{people}±{error}人{dense}"


def _n(evidence: Mapping[str, Quantity], name: str) -> str:
    return f"{float(evidence[name].value):.0f}"
