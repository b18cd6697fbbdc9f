"""State tables of notices: the outbox, the delivery log and each single try."""

from __future__ import annotations

import sqlalchemy as sa

from storage.state import Instant, metadata

notice = sa.Table(
    "notice",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kept_at", Instant, nullable=False),  # when the outbox took it
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("organisation", sa.Text),
    sa.Column("alert", sa.Text, index=True),
    sa.Column("alike", sa.Text, nullable=False),
    sa.Column("links", sa.JSON, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("planned_at", Instant, index=True),  # null: not yet routed
    sa.Column("told", sa.Boolean, nullable=False),  # it was routed and silences others with its key
    sa.Column("acknowledged_at", Instant),
    sa.Index("ix_notice_key_planned_at", "key", "planned_at"),
)

notice_delivery = sa.Table(
    "notice_delivery",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # made of notice, channel and step
    sa.Column("at", Instant, nullable=False),
    sa.Column("notice", sa.Text, sa.ForeignKey("notice.id"), nullable=False),
    sa.Column("alert", sa.Text),
    sa.Column("channel", sa.Text, nullable=False),  # empty: no route took the notice
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # notify.states
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("alike", sa.Text, nullable=False),
    sa.Column("rosters", sa.JSON, nullable=False),
    sa.Column("message", sa.Text),  # fixed at the first try, with all deliveries that it holds
    sa.Column("leased_until", Instant),
    sa.Column("repeated", sa.Boolean, nullable=False),  # an earlier try may have arrived
    sa.Column("why", sa.JSON(none_as_null=True)),  # the last reason: template and values
    sa.Column("done_at", Instant),
    sa.UniqueConstraint("notice", "channel", "step"),
    sa.Index("ix_notice_delivery_channel_state_next_at", "channel", "state", "next_at"),
    sa.Index("ix_notice_delivery_message", "message"),
    sa.Index("ix_notice_delivery_at_id", "at", "id"),
)

notice_attempt = sa.Table(
    "notice_attempt",
    metadata,
    sa.Column("message", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # from 1
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("ended_at", Instant),  # null: the process died before it knew
    sa.Column("outcome", sa.Text),  # delivered | retry | failed | unknown
    sa.Index("ix_notice_attempt_channel_at", "channel", "at"),
)
