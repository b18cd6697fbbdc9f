"""Roles (角色) and what each may do, CONTRACT §10; the three administrators (三员) exclude each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a person is on the platform."""

    SYSADMIN = "sysadmin"  # 系统管理员: accounts and operation, never grants
    SECADMIN = "secadmin"  # 安全管理员: grants roles, approves
    AUDITADMIN = "auditadmin"  # 审计管理员: reads the audit log
    NETADMIN = "netadmin"
    BILLING = "billing"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    BUREAU = "bureau"  # 委办局


class Capability(StrEnum):
    """One thing that a role permits; API tokens may be narrowed to some of them."""

    LINKS_READ = "links.read"
    USAGE_READ = "usage.read"
    BILLS_READ = "bills.read"
    ALERTS_READ = "alerts.read"
    INCIDENTS_READ = "incidents.read"
    RULES_READ = "rules.read"
    KEYS_READ = "keys.read"
    COLLECTORS_READ = "collectors.read"
    AUDIT_LOG_READ = "audit_log.read"
    CATALOGUE_WRITE = "catalogue.write"
    BILLS_WRITE = "bills.write"
    APPROVALS_READ = "approvals.read"
    APPROVALS_DECIDE = "approvals.decide"
    USERS_READ = "users.read"
    USERS_WRITE = "users.write"
    ROLES_GRANT = "roles.grant"


C = Capability
_APPROVAL = frozenset({C.APPROVALS_READ, C.APPROVALS_DECIDE})
_OPERATION = frozenset({C.LINKS_READ, C.USAGE_READ, C.BILLS_READ, C.ALERTS_READ, C.INCIDENTS_READ})

CAPABILITIES: Mapping[Role, frozenset[Capability]] = {
    Role.SYSADMIN: _APPROVAL | {C.USERS_READ, C.USERS_WRITE, C.COLLECTORS_READ},
    Role.SECADMIN: _APPROVAL
    | {
        C.USERS_READ,
        C.ROLES_GRANT,
        C.ALERTS_READ,
        C.INCIDENTS_READ,
        C.RULES_READ,
        C.KEYS_READ,
    },
    Role.AUDITADMIN: frozenset({C.AUDIT_LOG_READ, C.USERS_READ, C.APPROVALS_READ}),
    Role.NETADMIN: frozenset({C.LINKS_READ, C.COLLECTORS_READ, C.ALERTS_READ, C.INCIDENTS_READ}),
    Role.BILLING: _APPROVAL | {C.USAGE_READ, C.BILLS_READ, C.BILLS_WRITE, C.CATALOGUE_WRITE},
    Role.ANALYST: frozenset({C.ALERTS_READ, C.INCIDENTS_READ, C.RULES_READ, C.LINKS_READ}),
    Role.AUDITOR: _OPERATION
    | {C.RULES_READ, C.KEYS_READ, C.COLLECTORS_READ, C.AUDIT_LOG_READ, C.USERS_READ, C.APPROVALS_READ},
    Role.BUREAU: _OPERATION,
}
ADMINISTRATORS = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITADMIN})
PROVINCE_WIDE = _APPROVAL | {
    C.COLLECTORS_READ,
    C.AUDIT_LOG_READ,
    C.USERS_READ,
    C.USERS_WRITE,
    C.ROLES_GRANT,
    C.RULES_READ,
    C.KEYS_READ,
    C.CATALOGUE_WRITE,
    C.BILLS_WRITE,
}
"""Capabilities over things that belong to no organisation: only a role held everywhere gives them."""


def excluded_by(role: Role, held: Iterable[Role]) -> Role | None:
    """The administrator role already held that forbids ``role``; None if it may be granted."""
    if role not in ADMINISTRATORS:
        return None
    return next((one for one in sorted(held) if one in ADMINISTRATORS and one != role), None)
