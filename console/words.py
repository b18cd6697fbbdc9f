"""What states and levels are called (Chinese message ids) and how they look: a tone and a sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from access.roles import Role


@dataclass(frozen=True, slots=True)
class Word:
    """A value as people read it; ``sign`` says the same to those who do not see colours."""

    title: str
    tone: str
    sign: str


Words = Mapping[str, Word]

LEVEL: Words = {
    "critical": Word("严重", "critical", "■"),
    "high": Word("高", "high", "▲"),
    "medium": Word("中", "medium", "◆"),
    "low": Word("低", "low", "●"),
    "informational": Word("提示", "info", "○"),
}
LINK_STATE: Words = {
    "up": Word("正常", "good", "●"),
    "degraded": Word("降级", "warn", "▲"),
    "down": Word("中断", "bad", "■"),
    "unknown": Word("未知", "none", "○"),
}
PROTECTION: Words = {
    "normal": Word("保护正常", "good", "●"),
    "degraded": Word("保护降级", "warn", "▲"),
    "lost": Word("全部中断", "bad", "■"),
    "unknown": Word("未知", "none", "○"),
}
ALERT_STATE: Words = {
    "new": Word("新", "bad", "●"),
    "acknowledged": Word("已确认", "warn", "◐"),
    "closed": Word("已关闭", "none", "○"),
    "suppressed": Word("已抑制", "none", "◌"),
}
INCIDENT_STATE: Words = {
    "new": Word("新", "bad", "●"),
    "triage": Word("研判中", "warn", "◐"),
    "confirmed": Word("已确认", "bad", "■"),
    "contained": Word("已遏制", "warn", "▲"),
    "eradicated": Word("已根除", "warn", "◆"),
    "recovered": Word("已恢复", "good", "●"),
    "closed": Word("已关闭", "none", "○"),
    "false_positive": Word("误报", "none", "◌"),
}
PERIOD_STATE: Words = {
    "open": Word("开放", "warn", "◐"),
    "draft": Word("草稿", "warn", "◐"),
    "closed": Word("已锁定", "good", "●"),
    "issued": Word("已出账", "good", "■"),
}
PROCESS_STATE: Words = {
    "running": Word("运行", "good", "●"),
    "starting": Word("启动中", "warn", "◐"),
    "waiting": Word("等待重启", "warn", "▲"),
    "done": Word("已完成", "none", "○"),
    "stopped": Word("已停止", "none", "○"),
    "failed": Word("失败", "bad", "■"),
}
OUTCOME: Words = {
    "begun": Word("已开始", "none", "◔"),
    "success": Word("成功", "good", "●"),
    "failure": Word("失败", "bad", "■"),
    "refused": Word("拒绝", "warn", "▲"),
}
APPROVAL_STATE: Words = {
    "pending": Word("待审批", "warn", "◐"),
    "approved": Word("已同意", "good", "●"),
    "rejected": Word("已驳回", "bad", "■"),
    "withdrawn": Word("已撤回", "none", "○"),
    "used": Word("已使用", "none", "●"),
    "expired": Word("已过期", "none", "◌"),
}
APPROVAL_ACTION: Words = {
    "catalogue.load": Word("启用价目", "none", "●"),
    "bill.close": Word("关账", "none", "●"),
    "bill.issue": Word("出账", "none", "●"),
    "key.export": Word("导出密钥", "none", "●"),
    "key.destroy": Word("销毁密钥", "none", "●"),
    "user.grant": Word("授予角色", "none", "●"),
    "ticket.except": Word("工单例外", "none", "●"),
}
SAMPLE: Words = {
    "ok": Word("正常", "good", "●"),
    "missing": Word("缺数", "none", "○"),
    "first": Word("首个样本", "none", "○"),
    "reset": Word("计数器重置", "warn", "▲"),
    "implausible": Word("不可信", "warn", "◆"),
    "interpolated": Word("插值", "warn", "◐"),
    "unknown": Word("未知", "none", "○"),
}
LINE_KIND: Words = {"usage": Word("用量", "none", "●"), "rounding": Word("尾差", "none", "◐")}
CERTIFICATE_LEVEL: Words = {
    "missing": Word("缺失", "critical", "✕"),
    "unreadable": Word("无法读取", "critical", "✕"),
    "expired": Word("已失效", "critical", "■"),
    "critical": Word("7 天内到期", "bad", "▲"),
    "warning": Word("30 天内到期", "warn", "◆"),
    "not_yet": Word("尚未生效", "warn", "◐"),
    "ok": Word("有效", "good", "●"),
}
KEY_STATE: Words = {
    "pre-active": Word("待启用", "info", "◐"),
    "active": Word("在用", "good", "●"),
    "deactivated": Word("已停用", "none", "○"),
    "compromised": Word("已泄露", "critical", "■"),
    "destroyed": Word("已销毁", "none", "✕"),
}
KEY_USE: Words = {"sign": Word("签名", "none", "✎"), "enc": Word("加密", "none", "◫")}
SELF_TEST: Words = {"passed": Word("自检通过", "good", "●"), "failed": Word("自检未通过", "bad", "■")}
PARTICULAR: Mapping[str, str] = {
    "month": "月份",
    "total": "合计（元）",
    "complete": "用量完整",
    "organisations": "各单位",
    "organisation": "单位",
    "catalogue_sm3": "价目 SM3",
    "waiver": "缺数说明",
    "demo": "演示价",
    "sm3": "价目 SM3",
    "prices": "价格条数",
    "changes": "变更条数",
    "first": "变更（前 20 条）",
    "user": "用户",
    "roles": "角色",
    "everywhere": "全部单位",
    "title": "标题",
    "subject": "对象",
    "until": "截至",
    "reason": "理由",
}
ENTITY: Mapping[str, str] = {
    "link": "链路编号",
    "device": "设备",
    "group": "链路组",
    "host": "主机",
    "user": "用户",
    "tenant": "租户",
    "org": "委办局",
    "source_ip": "源地址",
    "cloud": "云平台",
    "item": "合规条款",
    "certificate": "证书",
    "source": "来源",
}
PROCESS: Mapping[str, str] = {
    "supervisor": "看护其余进程",
    "collect": "采集：SNMP、日志、云用量",
    "work": "判定、计量与入库",
    "serve": "控制台与接口",
    "lab": "演示省份的模拟器",
}
WINDOW: Mapping[str, str] = {"6h": "6 小时", "24h": "24 小时", "7d": "7 天", "30d": "30 天"}
ROLE: Mapping[Role, str] = {
    Role.SYSADMIN: "系统管理员",
    Role.SECADMIN: "安全管理员",
    Role.AUDITADMIN: "审计管理员",
    Role.NETADMIN: "网络管理员",
    Role.BILLING: "计费管理员",
    Role.ANALYST: "安全分析员",
    Role.AUDITOR: "审计员",
    Role.BUREAU: "委办局用户",
}
TIER: Mapping[str, str] = {
    "province-prefecture": "省—市",
    "prefecture-county": "市—县",
    "county-township": "县—乡",
    "township-village": "乡—村",
    "metro": "城域",
}
OTHER_LANGUAGE: Mapping[str, str] = {"zh": "English", "en": "中文"}
EVERYTHING = "全部"
TRANSLATED = frozenset({*ROLE.values(), EVERYTHING})
"""Cells of lists that are message ids; anything else in a list is data."""
_OF_KIND: Mapping[str, Words] = {
    "level": LEVEL,
    "link_state": LINK_STATE,
    "protection": PROTECTION,
    "alert_state": ALERT_STATE,
    "incident_state": INCIDENT_STATE,
    "period_state": PERIOD_STATE,
    "outcome": OUTCOME,
    "approval_state": APPROVAL_STATE,
    "approval_action": APPROVAL_ACTION,
    "process_state": PROCESS_STATE,
    "sample": SAMPLE,
    "line_kind": LINE_KIND,
    "certificate_level": CERTIFICATE_LEVEL,
    "key_state": KEY_STATE,
    "key_use": KEY_USE,
    "self_test": SELF_TEST,
}


def word(kind: str, value: object) -> Word:
    """The word of a value; a value that nobody knows is shown as it is."""
    return _OF_KIND.get(kind, {}).get(str(value)) or Word(str(value), "none", "○")


def has(kind: str) -> bool:
    """Whether cells of this kind are shown as a word with its sign."""
    return kind in _OF_KIND


def choices(words: Words) -> tuple[tuple[str, str], ...]:
    """Values and titles, for a filter."""
    return tuple((value, one.title) for value, one in words.items())
