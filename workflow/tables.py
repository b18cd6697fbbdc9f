"""State tables of workflow, declared on the state database's metadata."""

from __future__ import annotations

import sqlalchemy as sa

from storage.state import Instant, append_only, metadata

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),  # the same key is the same job
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),  # JSON object
    sa.Column("organisation", sa.Text, index=True),  # whose it is; null: of the whole province
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # queued | running | done | failed | cancelled
    sa.Column("cancelling", sa.Boolean, nullable=False),
    sa.Column("checkpoint", sa.Text, nullable=False),  # JSON object: where a handler goes on after a crash
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("holder", sa.Text),  # who runs it now, until lease_until
    sa.Column("lease_until", Instant),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("result", sa.Text),  # JSON object
    sa.Column("file", sa.Text),  # of the result, relative to the data folder
    sa.Column("problems", sa.Text, nullable=False),  # JSON list of {"where", "what", "next", "values"}
    sa.Index("ix_job_waiting", "state", "created_at"),
    sa.CheckConstraint("(state = 'running') = (holder IS NOT NULL)", name="running_is_held"),
)

schedule = sa.Table(
    "schedule",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),  # JSON: what it is made of, to notice a change
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("last_at", Instant),  # the newest time that a job was made for
    sa.Column("skipped", sa.Integer, nullable=False),
)

ticket = sa.Table(
    "ticket",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),  # the same cause opens one ticket
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),  # what is checked again, in the words of its kind
    sa.Column("organisation", sa.Text, index=True),
    sa.Column("level", sa.Text, nullable=False),  # critical | high | medium | low
    sa.Column("state", sa.Text, nullable=False),  # open | closed
    sa.Column("owner", sa.Text),
    sa.Column("due_at", Instant),
    sa.Column("opened_at", Instant, nullable=False, index=True),
    sa.Column("opened_by", sa.Text, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.Text),
    sa.Column("closing", sa.Text),  # recheck | exception
    sa.Column("proof", sa.Text),  # JSON object: what the re-check saw, or the approval of the exception
    sa.Column("until", Instant),  # the exception's end: then it opens again
    sa.CheckConstraint(
        "(state = 'closed') = "
        "(coalesce(closing, '') IN ('recheck', 'exception') AND proof IS NOT NULL AND closed_by IS NOT NULL)",
        name="closed_by_proof",
    ),
)

ticket_note = sa.Table(
    "ticket_note",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("ticket", sa.Text, sa.ForeignKey("ticket.id"), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),  # open | comment | assign | due | recheck | close | reopen
    sa.Column("text", sa.Text, nullable=False),
)
append_only(ticket_note)
