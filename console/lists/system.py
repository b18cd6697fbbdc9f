"""Users and the audit log (用户、审计日志)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from access import lockout, sessions, users
from access.tables import audit_log
from access.users import User
from console import words
from console.deps import ConsoleDeps
from console.sources import MemorySource
from console.statements import StatementSource
from console.table import Column, Table
from storage.state import reading

USERS = Table(
    name="users",
    title="用户",
    key="name",
    sort="name",
    topic="users",
    empty="没有用户。用 yw user add 增加。",
    columns=(
        Column(key="name", title="用户名", kind="code", searched=True),
        Column(key="display_name", title="姓名", searched=True),
        Column(key="roles", title="角色", kind="list", sortable=False, loose=True),
        Column(key="organisations", title="数据范围", kind="list", sortable=False, loose=True),
        Column(key="locked", title="锁定", kind="bool", choices=(("true", "是"), ("false", "否"))),
        Column(key="sessions", title="会话数", kind="number"),
        Column(key="login_at", title="上次登录", kind="instant"),
        Column(key="password_at", title="口令更新", kind="instant", room="wide"),
    ),
)

AUDIT_LOG = Table(
    name="audit-log",
    title="审计日志",
    key="number",
    sort="number",
    descending=True,
    topic="audit",
    empty="还没有审计记录。",
    columns=(
        Column(key="number", title="序号", kind="number"),
        Column(key="at", title="时间", kind="instant"),
        Column(key="actor", title="操作者", kind="code", searched=True),
        Column(key="action", title="操作", kind="code", searched=True),
        Column(key="object", title="对象", kind="code", searched=True),
        Column(key="outcome", title="结果", kind="outcome", choices=words.choices(words.OUTCOME)),
        Column(key="detail", title="详情", kind="pairs", sortable=False, loose=True, room="wide"),
        Column(key="chain", title="SM3 链值", kind="id", sortable=False, room="wide"),
    ),
)


def user_source(deps: ConsoleDeps, at: datetime) -> MemorySource:
    """The list of accounts."""
    with reading(deps.engine) as connection:
        found = users.list_users(connection)
        shut = lockout.locked_accounts(connection, at)
        live = sessions.live_sessions(connection, at, deps.limits)
    return MemorySource(USERS, [_user_row(one, one.locked or one.name in shut, live.get(one.name, 0)) for one in found])


def _user_row(user: User, locked: bool, live: int) -> Mapping[str, Any]:  # noqa: FBT001 - a column's value
    scopes = [scope.organisations for scope in user.roles.values()]
    named = sorted({one for scope in scopes if scope is not None for one in scope})
    return {
        "name": user.name,
        "display_name": user.display_name,
        "roles": [words.ROLE[role] for role in user.roles],
        "organisations": [words.EVERYTHING] if None in scopes else named,
        "locked": locked,
        "sessions": live,
        "login_at": user.login_at,
        "password_at": user.password_at,
    }


def audit_source(engine: sa.Engine) -> StatementSource:
    """The audit log."""
    columns = {one.name: one for one in audit_log.columns}
    return StatementSource(AUDIT_LOG, engine, sa.select(audit_log), columns, _audit_rows)


def _audit_rows(_connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Mapping[str, Any]]:
    return [{**row._mapping, "detail": json.loads(row.detail)} for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
