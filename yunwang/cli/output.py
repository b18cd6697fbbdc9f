"""The only place that prints: results to stdout in the asked format, everything else to stderr (CONTRACT §1)."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from records.errors import Problem, UserError, filled
from records.instants import format_instant
from yunwang.cli.call import current
from yunwang.language import translate


def plain(value: object) -> Any:
    """Objects that JSON does not know: instants as RFC 3339, money as text, enums as their value."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, (Decimal, Path)):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def emit(
    result: Any, *, columns: Sequence[str] = (), rows: Callable[[Any], Iterable[Mapping[str, Any]]] | None = None
) -> None:
    """Print one result.

    Args:
        result: What ``-o json`` prints: a list of mappings, or a mapping.
        columns: Keys shown by table and csv, in order; all keys of the first row if empty.
        rows: How table, csv and ndjson get rows from a result that is no list, e.g. ``lambda bill: bill["lines"]``.
    """
    form = current().output
    if form == "json":
        sys.stdout.write(json.dumps(result, ensure_ascii=False, default=plain) + "\n")
        return
    found = list(rows(result) if rows else result if isinstance(result, (list, tuple)) else [result])
    if form == "ndjson":
        for row in found:
            sys.stdout.write(json.dumps(row, ensure_ascii=False, default=plain) + "\n")
        return
    shown = list(columns) or (list(found[0]) if found else [])
    (_print_csv if form == "csv" else _print_table)(shown, found)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=plain)
    return value if isinstance(value, str) else str(plain(value) if not isinstance(value, (int, float)) else value)


def _print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


def _print_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - 0.1 s that only tables pay
    from rich.table import Table  # noqa: PLC0415

    console = Console(soft_wrap=False)
    if not rows:
        console.print(translate("nothing to show"))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        right = all(isinstance(row.get(name), (int, float, Decimal, type(None))) for row in rows)
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)).replace("[", "\\[") for name in columns))
    console.print(table)


def note(template: str, **values: object) -> None:
    """A remark for the person, on stderr."""
    sys.stderr.write(filled(template, values, translate) + "\n")


def show_error(error: UserError) -> None:
    """Three lines for each problem, on stderr."""
    for problem in error.problems:
        sys.stderr.write(
            f"error: {problem.text(translate)}\nwhere: {problem.where or '-'}\nnext: {problem.advice(translate)}\n"
        )


def show_warning(problem: Problem) -> None:
    """One line on stderr for what stops nothing."""
    note(
        "warning: {what} ({where}); {next}",
        what=problem.text(translate),
        where=problem.where or "-",
        next=problem.advice(translate),
    )
