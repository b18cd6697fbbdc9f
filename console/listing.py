"""Answering for a table: a page, or by the very same question the whole list as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse

from access import audit
from console.export import csv_chunks
from console.sources import Page, Source
from console.table import Query, Table, parse_query, query_string
from console.visit import Visit
from records.instants import SHANGHAI
from storage.state import writing


def answer(visit: Visit, table: Table, source: Source, template: str = "list.html", **context: Any) -> Response:
    """The list page that the URL asks for, or with ``format=csv`` its file; UserError for a bad question."""
    query = parse_query(table, visit.request.query_params)
    if visit.request.query_params.get("format") == "csv":
        return _file(visit, table, source, query)
    return visit.page(template, **shown(visit, table, source.page(query), query), **context)


def shown(visit: Visit, table: Table, page: Page, query: Query) -> Mapping[str, Any]:
    """What the table macro needs."""
    return {
        "table": table,
        "listed": page,
        "query": query,
        "base": visit.request.url.path,
        "query_string": query_string,
    }


def everything(source: Source, table: Table) -> list[Mapping[str, Any]]:
    """All rows in the table's own order."""
    return list(source.rows(parse_query(table, {}).whole()))


def _file(visit: Visit, table: Table, source: Source, query: Query) -> StreamingResponse:
    with writing(visit.deps.engine) as connection:
        detail = {"query": query_string(table, query)}
        audit.record(
            connection, visit.person.user.name, "table.export", visit.request.url.path, "success", detail, visit.at
        )
    headers = {"content-disposition": f'attachment; filename="{_file_name(table, visit.at)}"'}
    chunks = csv_chunks(table, source.rows(query.whole()), visit.translate)
    return StreamingResponse(chunks, media_type="text/csv; charset=utf-8", headers=headers)


def _file_name(table: Table, at: datetime) -> str:
    return f"yunwang-{table.name}-{at.astimezone(SHANGHAI):%Y%m%d-%H%M}.csv"
