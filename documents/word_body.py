"""The blocks of a document as WordprocessingML."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from docx.document import Document as Package
from docx.shared import Emu

from documents import model
from documents.flow import Heading, Piece
from documents.values import on_line, paper_text
from documents.word_xml import (
    ACCENT,
    INK,
    LINE,
    SOFT,
    WARN,
    aligned,
    border,
    cell,
    field,
    kept,
    mark,
    paragraph,
    run,
    shares,
    table,
    table_row,
)

BOLD = "<w:b/>"
GREY = '<w:color w:val="5B6B7F"/>'
FAINT = '<w:color w:val="D5DBE3"/>'
EMU_PER_TWIP = 635
DEEPEST = 4
DATE = "　　　　年　　月　　日"
SEAL_TWIPS, SEAL_TWIPS_DENSE = 2400, 1240


class Body:
    """Writes pieces for a page of one text width, in twentieths of a point; pictures go into the package on the way."""

    def __init__(self, package: Package, width: int, *, dense: bool) -> None:
        self._package, self._width, self._dense = package, width, dense
        self._pictures = 0
        self._shapes: Mapping[type[Any], Callable[[Any], str]] = {
            Heading: lambda one: paragraph(run(on_line(one.text)), f"Heading{min(one.level, DEEPEST)}"),
            model.Paragraph: lambda one: paragraph(run(one.text), "Cell" if dense else "BodyText"),
            model.Table: self._table,
            model.Facts: self._facts,
            model.Notice: self._notice,
            model.Highlight: self._highlight,
            model.Remark: _remark,
            model.Picture: self._picture,
            model.Seals: self._seals,
            model.Signatures: self._signatures,
            model.PageBreak: lambda _one: paragraph('<w:r><w:br w:type="page"/></w:r>'),
            model.Together: lambda one: kept("".join(self.xml(each) for each in one.blocks)),
        }

    def xml(self, piece: Piece) -> str:
        """One piece."""
        return self._shapes[type(piece)](piece)

    def _table(self, one: model.Table) -> str:
        widths = shares([column.width for column in one.columns], self._width)
        caption = paragraph(run(on_line(one.caption)), "Caption") if one.caption else ""
        head = table_row((_head(column) for column in one.columns), heads=True)
        rows = [_row(row, one.columns) for row in one.rows] or [_empty(len(one.columns))]
        edges = border("top", INK) + border("bottom", LINE) + border("insideH", LINE)
        return caption + table([head, *rows], widths, edges)

    def _facts(self, one: model.Facts) -> str:
        step = len(one.widths)
        cells = [cell(_named(fact), fill=SOFT) for fact in one.items]
        cells += [cell(paragraph(""), fill=SOFT)] * (-len(cells) % step)
        rows = [table_row(cells[at : at + step]) for at in range(0, len(cells), step)]
        return table(rows, shares(one.widths, self._width))

    def _notice(self, one: model.Notice) -> str:
        words = paragraph(run(on_line(one.title), f'{BOLD}<w:color w:val="A01F1F"/>') + run(f"　{one.text}"))
        shaded = cell(words, fill="FDF0F0", borders=border("left", WARN, eighths=20))
        return table([table_row([shaded])], [self._width])

    def _highlight(self, one: model.Highlight) -> str:
        left = _named(one.left)
        right = paragraph(run(on_line(one.right.name)), "Fine", aligned("right"))
        right += paragraph(run(on_line(one.right.value)), "Figure", aligned("right"))
        edges = "".join(border(side, ACCENT, eighths=8) for side in ("top", "left", "bottom", "right"))
        return table([table_row([cell(left), cell(right)])], shares((2, 1), self._width), edges)

    def _picture(self, one: model.Picture) -> str:
        self._pictures += 1
        wide = Emu(int(self._width * EMU_PER_TWIP * one.width))
        inline = self._package.part.new_pic_inline(io.BytesIO(one.png), width=wide)
        inline.docPr.set("id", str(self._pictures))
        inline.docPr.set("name", f"picture {self._pictures}")
        inline.docPr.set("descr", on_line(one.alt))
        drawn = paragraph(f"<w:r><w:drawing>{inline.xml}</w:drawing></w:r>", "Picture")
        return drawn + (paragraph(run(on_line(one.caption)), "Caption") if one.caption else "")

    def _seals(self, one: model.Seals) -> str:
        place = "" if self._dense else paragraph(run("（印章位置）", FAINT), "Cell", aligned("center"))
        edge = border("top", INK, eighths=5)
        space = paragraph("") * 3 + place + paragraph("") * 2
        cells = [
            cell(paragraph(run(on_line(name))) + space + paragraph(run(DATE, GREY)), borders=edge) for name in one.names
        ]
        height = SEAL_TWIPS_DENSE if self._dense else SEAL_TWIPS
        return paragraph("") + table([table_row(cells, height=height)], shares([1] * len(cells), self._width))

    def _signatures(self, one: model.Signatures) -> str:
        line = cell(paragraph(""), borders=border("bottom", INK, eighths=5))
        date = cell(paragraph(run(f"日期{DATE}")))
        rows = [table_row([cell(paragraph(run(on_line(name)))), line, date], height=560) for name in one.names]
        return table(rows, shares((1, 2, 2), self._width))


def _head(column: model.Column) -> str:
    return cell(paragraph(run(on_line(column.title)), "CellHead", aligned(column.side.value)), fill=INK)


def _row(row: model.Row, columns: tuple[model.Column, ...]) -> str:
    if isinstance(row, model.Band):
        words = run(row.text, BOLD) + (run(f"　{row.note}", GREY) if row.note else "")
        return table_row([cell(paragraph(words), span=len(columns), fill=SOFT)])
    if isinstance(row, model.Sum):
        label = cell(paragraph(run(on_line(row.label)), "Cell", aligned("right")), span=len(columns) - len(row.cells))
        last = columns[len(columns) - len(row.cells) :]
        return table_row([label, *(_cell(one, column, BOLD) for one, column in zip(row.cells, last, strict=True))])
    return table_row([_cell(one, column) for one, column in zip(row, columns, strict=True)])


def _cell(value: model.Cell, column: model.Column, look: str = "") -> str:
    return cell(paragraph(run(paper_text(value, column), look), "Cell", aligned(column.side.value)))


def _empty(width: int) -> str:
    return table_row([cell(paragraph(run("（无数据）", GREY), "Cell", aligned("center")), span=width)])


def _named(fact: model.Fact) -> str:
    return paragraph(run(on_line(fact.name)), "Fine") + paragraph(run(on_line(fact.value)), "Strong")


def _remark(one: model.Remark) -> str:
    lines = "".join(paragraph(run(line), "Fine") for line in one.lines)
    return kept(paragraph(run(on_line(one.title), BOLD))) + lines


def contents(pieces: Iterable[Piece]) -> str:
    """目录: a field that Word fills with page numbers when it opens the file; the titles stand in it already."""
    heads = [one for one in pieces if isinstance(one, Heading) and one.level < DEEPEST]
    code = '<w:instrText xml:space="preserve"> TOC \\o "1-3" \\h \\z \\u </w:instrText>'
    steps = (mark("begin", dirty=True), code, mark("separate"))
    start = "".join(f"<w:r>{one}</w:r>" for one in steps)
    entries = "".join(paragraph(run(on_line(one.text)), f"TOC{one.level}") for one in heads)
    title = paragraph(run("目　录", '<w:sz w:val="36"/>'), "Strong", aligned("center"))
    end = paragraph(f'<w:r>{mark("end")}</w:r><w:r><w:br w:type="page"/></w:r>', "TOC1")
    return title + paragraph(start, "TOC1") + entries + end


def page_numbers(total: str) -> str:
    """第 x 页 / 共 y 页."""
    return run("第 ") + field("PAGE") + run(" 页 / 共 ") + field(total) + run(" 页")
