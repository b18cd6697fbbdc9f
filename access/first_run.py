"""The first account of a data folder: ``admin`` with a one-time password that is printed once."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access import users
from access.passwords import one_time_password
from access.roles import Role
from access.tables import user_account
from records.secret import Secret
from storage.state import reading, writing

ADMIN = "admin"
FIRST_ROLES = (Role.SYSADMIN, Role.AUDITOR)
"""Runs the platform and reads everything; grants nothing, so the first 安全管理员 is made on the machine itself."""


def ensure_admin(engine: sa.Engine, at: datetime, *, demo: bool) -> Secret | None:
    """Make the first account and return its password, or None if there is an account already.

    It must be changed at the first login; in the demo it need not be.
    """
    with reading(engine) as connection:
        if _any_user(connection):
            return None
    with writing(engine) as connection:
        if _any_user(connection):  # another process was quicker
            return None
        password = one_time_password()
        users.add_user(connection, "system", ADMIN, password, at, display_name="管理员", must_change=not demo)
        for role in FIRST_ROLES:
            users.grant(connection, "system", ADMIN, role, at, organisations=None)
    return Secret(password)


def _any_user(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(user_account.c.name).limit(1)).first() is not None
