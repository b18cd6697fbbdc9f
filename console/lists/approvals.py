"""Actions for two (审批): what was asked for, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from access import approvals
from access.approvals import Approval
from console import words
from console.sources import MemorySource
from console.table import Column, Table
from storage.state import reading

APPROVALS = Table(
    name="approvals",
    title="审批",
    key="id",
    sort="requested_at",
    descending=True,
    topic="audit",
    empty="没有申请。须两人办理的操作（启用价目、关账、出账、密钥导出与销毁、授予角色）会在这里等待第二人。",
    columns=(
        Column(key="id", title="编号", kind="code", href="/approvals/{id}", searched=True),
        Column(key="state", title="状态", kind="approval_state", choices=words.choices(words.APPROVAL_STATE)),
        Column(key="action", title="操作", kind="approval_action", choices=words.choices(words.APPROVAL_ACTION)),
        Column(key="object", title="对象", kind="code", searched=True),
        Column(key="requested_by", title="申请人", kind="code", searched=True),
        Column(key="requested_at", title="申请时间", kind="instant"),
        Column(key="reason", title="理由", loose=True, sortable=False, room="wide", searched=True),
        Column(key="expires_at", title="失效时间", kind="instant", room="wide"),
        Column(key="decided_by", title="审批人", kind="code", searched=True, room="wide"),
    ),
)


def source(engine: sa.Engine, at: datetime) -> MemorySource:
    """All requests; people make a few a month."""
    with reading(engine) as connection:
        return MemorySource(APPROVALS, [row(one) for one in approvals.everything(connection, at)])


def row(one: Approval) -> Mapping[str, Any]:
    """A request as lists and the API show it."""
    found = {name: getattr(one, name) for name in one.__slots__}
    return found | {"state": one.state.value, "action": one.action.value}
