"""The pages: one router a domain."""

from __future__ import annotations

from console.pages import account, alarms, approvals, home, keys, links, metering, system

ROUTERS = (
    account.router,
    home.router,
    links.router,
    metering.router,
    alarms.router,
    system.router,
    keys.router,
    approvals.router,
)
