"""The ledger's tables on the state database (计量台账): append-only but for watermarks and the draft cache.

A trigger refuses UPDATE and DELETE; what a trigger cannot stop, the chain over ``usage_event`` shows (CONTRACT §7).
"""

from __future__ import annotations

import sqlalchemy as sa

from storage.state import Instant, append_only, metadata

usage_event = sa.Table(
    "usage_event",
    metadata,
    sa.Column(
        "seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False
    ),  # from 1
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("whole", sa.BigInteger, nullable=False),  # quantity = whole + nano / 10**9, so that SQL sums exactly
    sa.Column("nano", sa.BigInteger, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("start", Instant, nullable=False),
    sa.Column("end", Instant, nullable=False),
    sa.Column("attributes", sa.Text, nullable=False),  # canonical JSON of attr.*
    sa.Column("crosses", sa.Boolean, nullable=False),  # the window touches more than one month
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("payload_sm3", sa.LargeBinary(32), nullable=False),
    sa.Column("chain", sa.LargeBinary(32), nullable=False),  # h_n = SM3(h_(n-1) || payload_sm3), h_0 = 32 zero bytes
    sa.UniqueConstraint("source", "event_id"),
    sa.Index("ix_usage_event_start", "start"),
    sa.Index("ix_usage_event_crossing", "end", sqlite_where=sa.text("crosses"), postgresql_where=sa.text("crosses")),
)

usage_conflict = sa.Table(
    "usage_conflict",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("whole", sa.BigInteger, nullable=False),
    sa.Column("nano", sa.BigInteger, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("start", Instant, nullable=False, index=True),
    sa.Column("end", Instant, nullable=False),
    sa.Column("attributes", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("payload_sm3", sa.LargeBinary(32), nullable=False),
    sa.UniqueConstraint("source", "event_id", "payload_sm3"),  # kept once, counted each time it comes
)

watermark = sa.Table(
    "watermark",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("complete_until", Instant, nullable=False),
)

catalogue = sa.Table(
    "catalogue",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("recorded_at", Instant, nullable=False),  # with valid_from inside the body: bitemporal
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("sm3", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # canonical YAML
    sa.Column("approvals", sa.Text, nullable=False),  # JSON list
)

period = sa.Table(
    "period",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("month", sa.Text, nullable=False, unique=True),  # YYYY-MM; a month without a row is open
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("ledger_seq", sa.BigInteger, nullable=False),  # the month rests on events up to this one
    sa.Column("ledger_head", sa.LargeBinary(32), nullable=False),  # chain head there
    sa.Column("conflict_number", sa.BigInteger, nullable=False),  # and on conflicts up to this one
    sa.Column("catalogue", sa.Text, nullable=False),  # canonical YAML that it was rated by
    sa.Column("catalogue_version", sa.Integer),  # null if a file was given
    sa.Column("memberships", sa.Text, nullable=False),  # JSON, as in force at closing
    sa.Column("waiver", sa.Text),  # why a missing watermark was accepted
    sa.Column("approvals", sa.Text, nullable=False),
)

charge = sa.Table(
    "charge",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("month", sa.Text, nullable=False, index=True),
    sa.Column("tenant", sa.Text),  # null on a rounding line
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("sku", sa.Text),
    sa.Column("price_version", sa.Integer),
    sa.Column("tier", sa.Integer),
    sa.Column("quantity", sa.Text),  # exact, integer or fraction n/d, in unit
    sa.Column("unit", sa.Text),
    sa.Column("unit_price", sa.Text),
    sa.Column("amount", sa.Text, nullable=False),  # yuan: two places; exact n/d on a rounding line
    sa.Column("kind", sa.Text, nullable=False),  # usage | rounding
)

invoice = sa.Table(
    "invoice",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),  # from 1, no gaps
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),  # relative to the data folder
    sa.Column("manifest_sm3", sa.Text, nullable=False),
    sa.Column("previous", sa.Text),  # manifest_sm3 of the invoice before; null on the first
    sa.Column("total_fen", sa.BigInteger, nullable=False),
    sa.Column("demo", sa.Boolean, nullable=False),
    sa.Column("approvals", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.UniqueConstraint("month", "organisation"),
)

bill_draft = sa.Table(
    "bill_draft",
    metadata,
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("basis", sa.Text, nullable=False),  # what the draft rests on; another basis makes it stale
    sa.Column("body", sa.Text, nullable=False),
)

for _table in (usage_event, usage_conflict, catalogue, period, charge, invoice):
    append_only(_table)
