"""Alerts and incidents in the state database."""

from __future__ import annotations

import sqlalchemy as sa

from storage.state import Instant, metadata

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),  # rule and entities
    sa.Column("rule_id", sa.Text, nullable=False),
    sa.Column("rule_title", sa.Text, nullable=False),
    sa.Column("rule_title_zh", sa.Text),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),  # place of the level in records.alarms.LEVELS
    sa.Column("attack", sa.JSON, nullable=False),
    sa.Column("first_at", Instant, nullable=False),  # event time
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("entities", sa.JSON, nullable=False),  # kind to id; null where the events contradict each other
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("root", sa.Text),
    sa.Column("org", sa.Text),
    sa.Column("incident", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Index("ix_alert_key_last_at", "key", "last_at"),
    sa.Index("ix_alert_last_at_id", "last_at", "id"),
    sa.Index("ix_alert_incident", "incident"),
)

alert_event = sa.Table(
    "alert_event",
    metadata,
    sa.Column("alert", sa.Text, primary_key=True),
    sa.Column("event", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_alert_event_event", "event"),
)

alert_entity = sa.Table(
    "alert_entity",
    metadata,
    sa.Column("alert", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Index("ix_alert_entity_kind_value", "kind", "value"),
)

incident = sa.Table(
    "incident",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),  # event time of the first alert
    sa.Column("last_at", Instant, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("merged_into", sa.Text),
    sa.Index("ix_incident_opened_at_id", "opened_at", "id"),
)

incident_alert = sa.Table(
    "incident_alert",
    metadata,
    sa.Column("alert", sa.Text, primary_key=True),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  # in order of joining
    sa.Column("reason", sa.JSON, nullable=False),  # template id and values, soc.reasons
    sa.Index("ix_incident_alert_incident_position", "incident", "position"),
)
