"""State tables of access, declared on the state database's metadata."""

from __future__ import annotations

import sqlalchemy as sa

from storage.state import Instant, append_only, metadata

ADMINISTRATORS = "role IN ('sysadmin', 'secadmin', 'auditadmin')"

user_account = sa.Table(
    "user_account",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # never changes and is never given twice: the audit log names it
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("locked", sa.Boolean, nullable=False),  # by an administrator; failed logins lock in login_failure
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("password_at", Instant, nullable=False),
    sa.Column("login_at", Instant),
)

password_history = sa.Table(
    "password_history",
    metadata,
    sa.Column("user", sa.Text, sa.ForeignKey("user_account.name"), primary_key=True),
    sa.Column("at", Instant, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
)

user_role = sa.Table(
    "user_role",
    metadata,
    sa.Column("user", sa.Text, sa.ForeignKey("user_account.name"), primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("everywhere", sa.Boolean, nullable=False),  # all organisations; else those of user_role_organisation
    sa.Index(
        "uq_user_role_administrator",
        "user",
        unique=True,
        sqlite_where=sa.text(ADMINISTRATORS),
        postgresql_where=sa.text(ADMINISTRATORS),
    ),
)

user_role_organisation = sa.Table(
    "user_role_organisation",
    metadata,
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.ForeignKeyConstraint(["user", "role"], ["user_role.user", "user_role.role"], ondelete="CASCADE"),
)

user_session = sa.Table(
    "user_session",
    metadata,
    sa.Column("id_hash", sa.Text, primary_key=True),  # SM3 of the cookie: a copy of this table opens nothing
    sa.Column("user", sa.Text, sa.ForeignKey("user_account.name"), nullable=False, index=True),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
)

api_token = sa.Table(
    "api_token",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, sa.ForeignKey("user_account.name"), nullable=False, index=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),  # capabilities, comma-separated; empty: all that the user has
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("used_at", Instant),
    sa.Column(
        "addresses", sa.Text, nullable=False, server_default=""
    ),  # networks, comma-separated; empty: from anywhere
    sa.Column("used_from", sa.Text),  # the address of the newest use
)

login_failure = sa.Table(
    "login_failure",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),  # account | address
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("locked_until", Instant),
)

approval = sa.Table(
    "approval",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("particulars", sa.Text, nullable=False),  # JSON object, shown to the person who decides
    sa.Column("digest", sa.Text, nullable=False, index=True),  # SM3 of action, object, particulars
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # pending | approved | rejected | withdrawn | used
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", Instant),
    sa.Column("decision", sa.Text, nullable=False),  # the reason given with it
    sa.Column("used_at", Instant),
    sa.CheckConstraint("decided_by <> requested_by", name="two_persons"),
    sa.CheckConstraint(
        "state NOT IN ('approved', 'rejected', 'used') OR decided_by IS NOT NULL", name="decided_by_somebody"
    ),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # from 1 without a gap
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("actor", sa.Text, nullable=False, index=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),  # begun | success | failure | refused
    sa.Column("detail", sa.Text, nullable=False),  # canonical JSON object
    sa.Column("chain", sa.Text, nullable=False),  # hex of h(n) = SM3(h(n-1) || SM3(payload)), CONTRACT §7
)
append_only(audit_log)
