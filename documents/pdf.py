"""Documents as PDF through typst: one template of ours, data as JSON, fonts of ours; data never become markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst

from documents import model
from documents.flow import Heading, Piece, pieces
from documents.model import Cover, Document, Masthead
from documents.values import ZONE, instant_text, on_line, on_paper, paper_text

HERE = Path(__file__).parent
TEMPLATE = HERE / "templates" / "document.typ"
FONTS = HERE / "fonts"
LONG_RUN = re.compile(r"[!-~]{16,}")  # letters, digits and signs without a place to break
PART = 4


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])


def pdf_bytes(document: Document) -> bytes:
    """One tagged PDF with its fonts inside; the same document gives the same bytes."""
    pictures: dict[str, bytes] = {}
    blocks = [_block(one, pictures) for one in pieces(document)]
    data = json.dumps(_data(document, blocks), ensure_ascii=False).encode()
    with TemporaryDirectory(prefix="yw-paper-") as folder:
        for name, content in {"main.typ": TEMPLATE.read_bytes(), "document.json": data, **pictures}.items():
            (Path(folder) / name).write_bytes(content)
        return _compiled(Path(folder) / "main.typ", document)


def _compiled(main: Path, document: Document) -> bytes:
    found: bytes = typst.compile(
        str(main),
        root=str(main.parent),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        timestamp=document.created,
    )
    return found


def _data(document: Document, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    head = document.head
    footer = [on_line(one) for one in (document.number, document.footer, ZONE) if one]
    return {
        "title": on_line(document.title),
        "number": on_line(document.number),
        "organisation": on_line(document.organisation),
        "date": date_words(document),
        "header": on_line(document.header),
        "footer": footer,
        "watermark": on_line(document.watermark),
        "landscape": document.landscape,
        "dense": document.dense,
        "contents": document.contents,
        "cover": _cover(head) if isinstance(head, Cover) else None,
        "masthead": _masthead(head) if isinstance(head, Masthead) else None,
        "blocks": blocks,
    }


def date_words(document: Document) -> str:
    """The day of a document in UTC+8, e.g. 2026年8月1日."""
    year, month, day = instant_text(document.created)[:10].split("-")
    return f"{year}年{int(month)}月{int(day)}日"


def breakable(text: str) -> str | list[str]:
    """A text as it is, or in parts between which a line may end: digests and addresses are wider than a column."""
    shown = on_paper(text)
    if not LONG_RUN.search(shown):
        return shown
    return [part for run in re.split(r"([!-~]{16,})", shown) for part in _parts(run) if part]


def _parts(run: str) -> list[str]:
    if not LONG_RUN.fullmatch(run):
        return [run]
    return [run[at : at + PART] for at in range(0, len(run), PART)]


def _cover(cover: Cover) -> dict[str, Any]:
    return {"subtitle": breakable(on_line(cover.subtitle)), "classification": on_line(cover.classification)}


def _masthead(head: Masthead) -> dict[str, Any]:
    return {"subtitle": breakable(on_line(head.subtitle)), "facts": [_fact(one) for one in head.facts]}


def _fact(one: model.Fact) -> dict[str, Any]:
    return {"name": on_line(one.name), "value": breakable(on_line(one.value))}


def _block(piece: Piece, pictures: dict[str, bytes]) -> dict[str, Any]:
    if isinstance(piece, model.Picture):
        name = f"picture-{len(pictures)}.png"
        pictures[name] = piece.png
        texts = {"alt": on_line(piece.alt), "caption": breakable(on_line(piece.caption))}
        return {"kind": "picture", "file": name, "width": piece.width} | texts
    if isinstance(piece, model.Together):
        return {"kind": "together", "blocks": [_block(one, pictures) for one in piece.blocks]}
    return _SHAPES[type(piece)](piece)


def _table(table: model.Table) -> dict[str, Any]:
    return {
        "kind": "table",
        "caption": breakable(on_line(table.caption)),
        "columns": [_column(one) for one in table.columns],
        "rows": [_row(row, table.columns) for row in table.rows],
    }


def _column(one: model.Column) -> dict[str, Any]:
    return {"title": breakable(on_line(one.title)), "width": one.width or None, "side": one.side.value}


def _row(row: model.Row, columns: tuple[model.Column, ...]) -> dict[str, Any]:
    if isinstance(row, model.Band):
        return {"band": breakable(row.text), "note": breakable(row.note)}
    cells = row.cells if isinstance(row, model.Sum) else row
    last = columns[len(columns) - len(cells) :]
    shown = [breakable(paper_text(cell, column)) for cell, column in zip(cells, last, strict=True)]
    return {"sum": breakable(on_line(row.label)), "cells": shown} if isinstance(row, model.Sum) else {"cells": shown}


def _pair(one: model.Highlight) -> dict[str, Any]:
    return {"kind": "highlight", "left": _fact(one.left), "right": _fact(one.right)}


def _facts(one: model.Facts) -> dict[str, Any]:
    return {"kind": "facts", "items": [_fact(each) for each in one.items], "widths": list(one.widths)}


def _remark(one: model.Remark) -> dict[str, Any]:
    return {"kind": "remark", "title": breakable(on_line(one.title)), "lines": [breakable(each) for each in one.lines]}


_SHAPES: Mapping[type[Any], Callable[[Any], dict[str, Any]]] = {
    Heading: lambda one: {"kind": "heading", "level": one.level, "text": breakable(on_line(one.text))},
    model.Paragraph: lambda one: {"kind": "paragraph", "text": breakable(one.text)},
    model.Table: _table,
    model.Facts: _facts,
    model.Notice: lambda one: {"kind": "notice", "title": breakable(on_line(one.title)), "text": breakable(one.text)},
    model.Highlight: _pair,
    model.Remark: _remark,
    model.Seals: lambda one: {"kind": "seals", "names": [breakable(on_line(each)) for each in one.names]},
    model.Signatures: lambda one: {"kind": "signatures", "names": [breakable(on_line(each)) for each in one.names]},
    model.PageBreak: lambda _one: {"kind": "page"},
}
