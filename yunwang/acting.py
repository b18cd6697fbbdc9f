"""Who a call of the CLI acts as (CONTRACT §10): ``YW_TOKEN``, else the stored login, else ``local:<os user>``."""

from __future__ import annotations

import getpass
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from records.errors import RefusedError
from records.instants import now

if TYPE_CHECKING:
    import sqlalchemy as sa

    from access.passwords import Policy
    from access.roles import Capability
    from yunwang.settings import Access


HERE = "127.0.0.1"  # where a call on the machine itself comes from


def login_file() -> Path:
    """Where ``yw login`` keeps its token: the user's own configuration folder."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "yunwang" / "token"


def bearer() -> str | None:
    """The token text of this call, if there is one."""
    given = os.environ.get("YW_TOKEN")
    if given:
        return given
    try:
        return login_file().read_text("utf-8").strip() or None
    except OSError:
        return None


def actor(state: sa.Engine) -> str:
    """The name that the audit log shows.

    Raises:
        RefusedError: ``YW_TOKEN`` is set, but no token of this data folder, or not for use on this machine.
    """
    from access.tokens import find_token  # noqa: PLC0415 - argon2 and SQL only when needed
    from storage.state import reading  # noqa: PLC0415

    text = bearer()
    if text is not None:
        with reading(state) as connection:
            token = find_token(connection, text, now())
        if token is not None and token.admits(HERE):
            return token.user
        if os.environ.get("YW_TOKEN"):
            raise RefusedError("YW_TOKEN is no valid token here", "make one with `yw token new`", where="YW_TOKEN")
    return f"local:{getpass.getuser()}"


def check_permitted(connection: sa.Connection, actor: str, capability: Capability) -> None:
    """Whoever works on the machine itself may; a user of the console needs the role.

    The very first 安全管理员 is granted by a system administrator, for there is nobody else yet.

    Raises:
        RefusedError: The acting user's roles do not permit it.
    """
    from access.roles import Capability, Role  # noqa: PLC0415 - the state database on first use
    from access.users import find_user, list_users  # noqa: PLC0415

    user = find_user(connection, actor)
    if user is None or user.scope(capability) is not None:
        return
    first = capability is Capability.ROLES_GRANT and not any(
        Role.SECADMIN in one.roles for one in list_users(connection)
    )
    if not (first and Role.SYSADMIN in user.roles):
        raise RefusedError(
            "user '{user}' may not do this: '{capability}' is missing",
            "log in as somebody whose role has it, see `yw user ls`",
            where=f"user:{actor}",
            user=actor,
            capability=capability.value,
        )


def password_policy(settings: Access) -> Policy:
    """What the configuration asks of a password."""
    from access.passwords import Policy  # noqa: PLC0415 - argon2 only when needed

    return Policy(
        minimum_length=settings.password_length,
        minimum_classes=settings.password_classes,
        remembered=settings.passwords_remembered,
        lifetime=timedelta(days=settings.password_days) if settings.password_days else None,
        breached=Path(settings.breached_passwords) if settings.breached_passwords else None,
    )


def first_password(state: sa.Engine, *, demo: bool) -> str | None:
    """The one-time password of the first user, told once; None if there are users already."""
    from access.first_run import ensure_admin  # noqa: PLC0415 - argon2 only when needed

    password = ensure_admin(state, now(), demo=demo)
    return password.reveal() if password else None
