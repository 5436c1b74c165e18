"""The words that messages need beside `pipelines.wording`: what evidence is called, in which unit, and what is to be done.

Both languages are kept equal by a test. What has no label here and is no plain number is not told to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipelines.wording import Language

#: Evidence that only machines read: places on the picture, votes, Unix times, and sentences that are told by themselves.
UNTOLD: Final = frozenset(
    {
        *("stopped_at", "last_seen_at", "last_detected_at", "vehicle_votes", "confidence", "detection_share", "state"),
        *("box_x1", "box_y1", "box_x2", "box_y2", "ground_x", "ground_y", "ground_error", "in_words_en", "in_words_zh"),
        *("suddenness",),
    }
)

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = MappingProxyType(
    {
        "zh-CN": {
            "evidence.standing": "停留",
            "evidence.vehicle": "车辆",
            "evidence.driver": "驾驶员",
            "evidence.people": "人数",
            "evidence.people_limit": "人数上限",
            "evidence.peak_people": "最多人数",
            "evidence.density": "密度",
            "evidence.density_limit": "密度上限",
            "evidence.peak_density": "最高密度",
            "evidence.growth": "增长",
            "evidence.until_limit": "预计达到上限还需",
            "evidence.contact_score": "肢体接触评分（0–1）",
            "evidence.encircled_for": "围住时长",
            "evidence.encircled_by": "围住者",
            "evidence.encircled_ended": "围住结束于",
            "evidence.caught_for": "近身控制时长",
            "evidence.caught_by": "近身控制者",
            "evidence.caught_ended": "近身控制结束于",
            "evidence.down_for": "倒地时长",
            "evidence.down_by": "倒地者旁",
            "evidence.down_ended": "倒地结束于",
            "evidence.gathered": "围拢过来",
            "evidence.fleeing": "跑开",
            "evidence.cause": "原因",
            "evidence.detail": "详情",
            "evidence.gap": "缺录",
            "evidence.alerts": "未送达",
            "evidence.incident": "最早的事件",
            "evidence.missing": "未收到",
            "value.car": "小型汽车",
            "value.bus": "客车",
            "value.truck": "货车",
            "value.motorcycle": "摩托车",
            "value.bicycle": "自行车",
            "value.unknown": "不明",
            "value.camera": "摄像机",
            "value.network": "网络",
            "value.disk": "磁盘",
            "value.restart": "重启",
            "value.clock": "时钟",
            "unit.people": "人",
            "unit.vehicles": "辆",
            "unit.alerts": "条报警",
            "unit.people/m2": "人/平方米",
            "unit.people/min": "人/分钟",
            "unit.m": "米",
            "unit.s ago": "前",
            "reason.left": "车辆已驶离",
            "reason.replaced": "车辆已驶离，车位被另一辆车占用",
            "reason.dispersed": "人群已散开",
            "reason.schedule": "规则时段已结束",
            "reason.configuration": "规则已从配置中移除",
            "reason.over": "故障已消除",
            "action.illegal_parking": "请到现场劝离车辆，并确认车内是否有人；到场后在系统中确认。",
            "action.crowding": "请查看实时画面，安排人员到场疏导，保持通道畅通。",
            "action.possible_bullying": "请立即查看录像片段并派人到场了解。这只是系统提示的可能情形，是否属实由人工判断。",
            "action.recording_gap": "请检查摄像机的供电、网络和存储。",
            "action.retention_refused": "请检查录像存储是否正确挂载，并查看清理计划（gatewatch footage plan）。",
            "action.retention_floor": "请扩充存储或降低码率；未满期限的录像不会被删除。",
            "action.alert_unreached": "请立即查看未送达的报警，并检查报警通道（gatewatch alerts dead）。",
            "action.drill_failed": "请检查报警通道（gatewatch alerts dead），修复后用 gatewatch alerts test 复测。",
            "action.other": "请查看实时画面和录像，核实后在系统中确认。",
            "action.closed": "已结束，无需到场；请在系统中填写处置结果。",
            "why.opened": "新报警",
            "why.worse": "级别升高",
            "why.closed": "已结束",
            "why.warned": "预警",
            "why.escalated": "升级上报",
            "why.digest": "报警汇总",
            "why.unreached": "报警未送达",
            "why.test": "测试",
            "picture.blurred": "附图已对人脸部位和车牌做模糊处理。",
            "picture.original": "附图未做模糊处理，请勿外传。",
            "picture.missing": "未附图片：没有本事件的图片文件。",
            "picture.unblurrable": "未附图片：无法做模糊处理，原图未发送。",
        },
        "en": {
            "evidence.standing": "standing for",
            "evidence.vehicle": "vehicle",
            "evidence.driver": "driver",
            "evidence.people": "people",
            "evidence.people_limit": "limit",
            "evidence.peak_people": "most people",
            "evidence.density": "density",
            "evidence.density_limit": "density limit",
            "evidence.peak_density": "highest density",
            "evidence.growth": "growing by",
            "evidence.until_limit": "limit expected in",
            "evidence.contact_score": "contact score (0-1)",
            "evidence.encircled_for": "surrounded for",
            "evidence.encircled_by": "surrounded by",
            "evidence.encircled_ended": "surrounding ended",
            "evidence.caught_for": "held close for",
            "evidence.caught_by": "held close by",
            "evidence.caught_ended": "holding ended",
            "evidence.down_for": "down for",
            "evidence.down_by": "near the one down",
            "evidence.down_ended": "got up",
            "evidence.gathered": "gathering",
            "evidence.fleeing": "running away",
            "evidence.cause": "cause",
            "evidence.detail": "detail",
            "evidence.gap": "not recorded for",
            "evidence.alerts": "not delivered",
            "evidence.incident": "oldest incident",
            "evidence.missing": "not received",
            "value.car": "car",
            "value.bus": "bus",
            "value.truck": "truck",
            "value.motorcycle": "motorcycle",
            "value.bicycle": "bicycle",
            "value.unknown": "unknown",
            "value.camera": "camera",
            "value.network": "network",
            "value.disk": "disk",
            "value.restart": "restart",
            "value.clock": "clock",
            "unit.people": "people",
            "unit.vehicles": "vehicles",
            "unit.alerts": "alerts",
            "unit.people/m2": "people per m²",
            "unit.people/min": "people per minute",
            "unit.m": "m",
            "unit.s ago": "ago",
            "reason.left": "the vehicle has left",
            "reason.replaced": "the vehicle has left, another took its place",
            "reason.dispersed": "the people have dispersed",
            "reason.schedule": "the rule's hours are over",
            "reason.configuration": "the rule was removed from the configuration",
            "reason.over": "the fault is over",
            "action.illegal_parking": "Have the vehicle moved, see whether somebody is inside, then confirm in the system.",
            "action.crowding": "Look at the live picture, send somebody to guide people, keep the way free.",
            "action.possible_bullying": "Look at the clip now and send somebody. It is only a possibility that the system points "
            "at: a person judges whether it is true.",
            "action.recording_gap": "Check the camera's power, its network and the storage.",
            "action.retention_refused": "See whether the volume is mounted; gatewatch footage plan says the rest.",
            "action.retention_floor": "Add storage or lower the bit rate; footage is not deleted before its time.",
            "action.alert_unreached": "Look at the alerts that reached nobody, and at the channels (gatewatch alerts dead).",
            "action.drill_failed": "Mend the channels (gatewatch alerts dead), then try gatewatch alerts test.",
            "action.other": "Look at the live picture and the recording, then confirm in the system.",
            "action.closed": "It is over, nobody need go; enter the outcome in the system.",
            "why.opened": "new alert",
            "why.worse": "more severe",
            "why.closed": "over",
            "why.warned": "early warning",
            "why.escalated": "escalated",
            "why.digest": "digest",
            "why.unreached": "alert reached nobody",
            "why.test": "test",
            "picture.blurred": "In the picture heads and number plates are blurred.",
            "picture.original": "The picture is not blurred; do not pass it on.",
            "picture.missing": "Without a picture: there is no file of one for this incident.",
            "picture.unblurrable": "Without a picture: it could not be blurred, and the original is not sent.",
        },
    }
)


def words_for(language: Language, key: str) -> str | None:
    """The words for `group.name`, None where there are none."""
    return _WORDS[language].get(key)


def vocabulary(language: Language) -> frozenset[str]:
    """Every key that this language has words for."""
    return frozenset(_WORDS[language])


def duration(language: Language, seconds: float) -> str:
    """`3分20秒`, `5分钟`, `3 min 20 s`: whole seconds, at most two units."""
    whole = max(0, round(seconds))
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    units = ("天", "小时", "分", "秒") if language == "zh-CN" else (" d", " h", " min", " s")
    told = [f"{amount}{unit}" for amount, unit in zip((days, hours, minutes, rest), units, strict=True) if amount]
    text = ("" if language == "zh-CN" else " ").join(told[:2]) or f"0{units[3]}"
    return f"{text}钟" if text.endswith("分") else text
