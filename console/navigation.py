"""The pages on the left, by domain; each person sees those that the roles open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from access.roles import Capability
from console.people import Person


@dataclass(frozen=True, slots=True)
class Entry:
    """One page: its address, its title (a Chinese message id), the icon's name and who may see it."""

    href: str
    title: str
    icon: str
    capability: Capability | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Pages of one domain."""

    title: str
    entries: Sequence[Entry]


SECTIONS = (
    Section("", (Entry("/", "一屏统览", "home"),)),
    Section(
        "云网运行",
        (
            Entry("/links", "链路", "link", Capability.LINKS_READ),
            Entry("/collectors", "采集状态", "pulse", Capability.COLLECTORS_READ),
        ),
    ),
    Section(
        "云资源与结算",
        (
            Entry("/usage", "用量", "chart", Capability.USAGE_READ),
            Entry("/bills", "账单", "bill", Capability.BILLS_READ),
        ),
    ),
    Section(
        "安全运营",
        (
            Entry("/alerts", "告警", "bell", Capability.ALERTS_READ),
            Entry("/incidents", "事件单", "shield", Capability.INCIDENTS_READ),
            Entry("/rules", "规则", "rule", Capability.RULES_READ),
        ),
    ),
    Section(
        "系统",
        (
            Entry("/approvals", "审批", "check", Capability.APPROVALS_READ),
            Entry("/users", "用户", "user", Capability.USERS_READ),
            Entry("/audit-log", "审计日志", "log", Capability.AUDIT_LOG_READ),
            Entry("/crypto", "密码服务", "key", Capability.KEYS_READ),
            Entry("/help", "帮助", "help"),
        ),
    ),
)


def entries(person: Person) -> list[Section]:
    """The sections with the pages that the person may open."""
    shown = [Section(one.title, [entry for entry in one.entries if _open(entry, person)]) for one in SECTIONS]
    return [one for one in shown if one.entries]


def _open(entry: Entry, person: Person) -> bool:
    return entry.capability is None or person.may(entry.capability)
