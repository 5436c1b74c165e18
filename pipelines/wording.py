"""The words for people, Chinese and English, of everything that has a name in the code. Kept equal by a test."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Language = Literal["zh-CN", "en"]

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = MappingProxyType(
    {
        "zh-CN": {
            "kind.illegal_parking": "违法停车",
            "kind.crowding": "人群聚集",
            "kind.possible_bullying": "疑似欺凌（待人工判断）",
            "kind.recording_gap": "录像中断",
            "kind.overload": "分析能力不足",
            "kind.other": "其他情况（人工上报）",
            "kind.retention_refused": "录像清理被拒绝执行",
            "kind.retention_floor": "录像可能存不满规定期限",
            "kind.alert_unreached": "报警未送达任何人",
            "kind.drill": "报警演练",
            "kind.drill_failed": "报警演练失败",
            "kind.signal_lost": "视频信号丢失",
            "kind.frozen": "画面冻结",
            "kind.dark": "画面过暗",
            "kind.covered": "镜头被遮挡",
            "kind.blurred": "画面模糊",
            "kind.view_moved": "摄像机被转动",
            "kind.message_lost": "事件消息无法处理",
            "phase.warned": "预警",
            "phase.opened": "发生",
            "phase.updated": "持续",
            "phase.closed": "结束",
            "role.first_seen": "首次发现",
            "role.limit": "达到时限",
            "role.later": "仍在现场",
            "role.peak": "峰值",
            "role.cleared": "已离开",
            "role.close_up": "特写",
            "role.by_hand": "人工上报",
            "source.analysed": "分析码流",
            "source.main": "主码流录像",
            "severity.1": "一级 特别重大",
            "severity.2": "二级 警告",
            "severity.3": "三级 关注",
            "severity.4": "四级 信息",
        },
        "en": {
            "kind.illegal_parking": "illegal parking",
            "kind.crowding": "crowding",
            "kind.possible_bullying": "possible bullying (for a person to judge)",
            "kind.recording_gap": "gap in the recording",
            "kind.overload": "analysis overloaded",
            "kind.other": "raised by a person",
            "kind.retention_refused": "clean-up of footage refused",
            "kind.retention_floor": "footage may not last as long as it must",
            "kind.alert_unreached": "an alert reached nobody",
            "kind.drill": "drill of the alerts",
            "kind.drill_failed": "the drill of the alerts failed",
            "kind.signal_lost": "no signal",
            "kind.frozen": "picture frozen",
            "kind.dark": "picture too dark",
            "kind.covered": "lens covered",
            "kind.blurred": "picture blurred",
            "kind.view_moved": "camera turned",
            "kind.message_lost": "an event could not be handled",
            "phase.warned": "warning",
            "phase.opened": "opened",
            "phase.updated": "goes on",
            "phase.closed": "closed",
            "role.first_seen": "first seen",
            "role.limit": "at the limit",
            "role.later": "still there",
            "role.peak": "peak",
            "role.cleared": "cleared",
            "role.close_up": "close-up",
            "role.by_hand": "given by a person",
            "source.analysed": "analysed stream",
            "source.main": "recorded main stream",
            "severity.1": "level 1 critical",
            "severity.2": "level 2 warning",
            "severity.3": "level 3 watch",
            "severity.4": "level 4 information",
        },
    }
)


def word(language: Language, key: str) -> str:
    """The words for `group.name`, e.g. `kind.crowding`; a name that has none stands for itself."""
    return _WORDS[language].get(key, key.partition(".")[2])


def known_keys(language: Language) -> frozenset[str]:
    """Every key that this language has words for."""
    return frozenset(_WORDS[language])
