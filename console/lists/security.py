"""Alerts, incidents, rules (告警、事件单、规则): the tables; their rows are paged by the domain's own statements."""

from __future__ import annotations

from console import words
from console.language import Language
from console.ports import Views
from console.sources import MemorySource
from console.table import Column, Table

_LEVELS = words.choices(words.LEVEL)

ALERTS = Table(
    name="alerts",
    title="告警",
    key="id",
    sort="last_at",
    descending=True,
    topic="alerts",
    empty="没有告警。规则在 alert_rules/ 中；用 yw soc ingest 导入日志可以试一试。",
    columns=(
        Column(key="level", title="级别", kind="level", choices=_LEVELS, sortable=False),
        Column(key="rule_title", title="规则名称", searched=True, loose=True, href="/alerts/{id}"),
        Column(key="entities", title="对象", kind="pairs", sortable=False, loose=True, room="wide"),
        Column(key="count", title="次数", kind="number"),
        Column(key="first_at", title="首次", kind="instant", room="extra"),
        Column(key="last_at", title="最近", kind="instant"),
        Column(key="state", title="状态", kind="alert_state", choices=words.choices(words.ALERT_STATE)),
        Column(key="rule_id", title="规则编号", kind="code", searched=True, room="extra"),
        Column(key="incident", title="所属事件单", kind="id", href="/incidents/{incident}", searched=True),
    ),
)

INCIDENTS = Table(
    name="incidents",
    title="事件单",
    key="id",
    sort="opened_at",
    descending=True,
    topic="incidents",
    empty="没有事件单。告警按共同对象归并成事件单。",
    columns=(
        Column(key="level", title="级别", kind="level", choices=_LEVELS, sortable=False),
        Column(key="title", title="标题", searched=True, loose=True, href="/incidents/{id}"),
        Column(key="entities", title="对象", kind="pairs", sortable=False, loose=True, room="wide"),
        Column(key="alert_count", title="告警数", kind="number", sortable=False),
        Column(key="opened_at", title="发现", kind="instant"),
        Column(key="owner", title="负责人", searched=True, room="wide"),
        Column(key="state", title="状态", kind="incident_state", choices=words.choices(words.INCIDENT_STATE)),
        Column(key="id", title="编号", kind="id", searched=True, room="wide"),
    ),
)

RULES = Table(
    name="rules",
    title="规则",
    key="id",
    sort="domain",
    topic="alerts",
    empty="没有规则。规则在 alert_rules/ 中；用 yw soc rules check 检查。",
    columns=(
        Column(key="level", title="级别", kind="level", choices=_LEVELS),
        Column(key="title", title="规则名称", searched=True, loose=True),
        Column(key="domain", title="领域", kind="code", searched=True),
        Column(key="logsource", title="日志来源", kind="code", searched=True, room="wide"),
        Column(key="attack", title="ATT&CK", kind="list", sortable=False),
        Column(key="id", title="编号", kind="code", searched=True, room="wide"),
    ),
)


def rules(views: Views, language: Language) -> MemorySource:
    """The list of rules."""
    return MemorySource(RULES, views.rules(language))
