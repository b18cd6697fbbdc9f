"""WordprocessingML as text: paragraphs, cells, tables (ECMA-376 part 1 §17). Written row by row, it is parsed once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from documents.values import on_line, on_paper

INK, SOFT, LINE, ACCENT, WARN = "1B2A41", "F4F6F9", "D5DBE3", "1F5FA8", "C82828"
NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" '
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
)
_STYLE = re.compile(r'(<w:pStyle w:val="\w+"/>)')


def run(text: str, look: str = "") -> str:
    """One run; line feeds and tabs become elements, everything else is text."""
    shown = escape(on_paper(text))
    if "\n" in shown or "\t" in shown:
        shown = shown.replace("\n", '</w:t><w:br/><w:t xml:space="preserve">')
        shown = shown.replace("\t", '</w:t><w:tab/><w:t xml:space="preserve">')
    return f'<w:r>{look and f"<w:rPr>{look}</w:rPr>"}<w:t xml:space="preserve">{shown}</w:t></w:r>'


def paragraph(content: str, style: str = "Cell", look: str = "") -> str:
    """A paragraph of runs; ``look`` is further ``w:pPr`` content in the schema's order."""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{look}</w:pPr>{content}</w:p>'


def aligned(side: str) -> str:
    """Where a paragraph stands."""
    return f'<w:jc w:val="{side}"/>'


def below(twips: int) -> str:
    """Space above a paragraph, in twentieths of a point."""
    return f'<w:spacing w:before="{twips}"/>'


def cell(content: str, *, span: int = 1, fill: str = "", borders: str = "", width: int = 0) -> str:
    """A table cell; ``width`` in twentieths of a point, 0 for the grid's."""
    look = (
        (f'<w:tcW w:w="{width}" w:type="dxa"/>' if width else "")
        + (f'<w:gridSpan w:val="{span}"/>' if span > 1 else "")
        + (f"<w:tcBorders>{borders}</w:tcBorders>" if borders else "")
        + (f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>' if fill else "")
    )
    return f"<w:tc>{look and f'<w:tcPr>{look}</w:tcPr>'}{content}</w:tc>"


def border(side: str, color: str, *, eighths: int = 4, kind: str = "single") -> str:
    """One edge; ``eighths`` of a point wide."""
    return f'<w:{side} w:val="{kind}" w:sz="{eighths}" w:space="0" w:color="{color}"/>'


def table_row(cells: Iterable[str], *, heads: bool = False, height: int = 0) -> str:
    """A row that is never split; ``heads`` repeats it on each page, ``height`` at least, in twentieths of a point."""
    tall = f'<w:trHeight w:val="{height}" w:hRule="atLeast"/>' if height else ""
    return f"<w:tr><w:trPr><w:cantSplit/>{tall}{'<w:tblHeader/>' if heads else ''}</w:trPr>{''.join(cells)}</w:tr>"


def table(rows: Iterable[str], widths: Sequence[int], borders: str = "") -> str:
    """A table of fixed column widths, in twentieths of a point, with a small space below."""
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    edges = f"<w:tblBorders>{borders}</w:tblBorders>" if borders else ""
    look = f'<w:tblW w:w="{sum(widths)}" w:type="dxa"/>{edges}<w:tblLayout w:type="fixed"/>'
    body = f"<w:tbl><w:tblPr>{look}</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    return body + paragraph("", "Fine")


def shares(weights: Sequence[float], total: int) -> list[int]:
    """Column widths that add up to ``total``; a weight of 0 (as wide as needed) counts as a narrow one."""
    narrow = 0.8
    whole = sum(one or narrow for one in weights)
    widths = [int(total * (one or narrow) / whole) for one in weights]
    return [*widths[:-1], total - sum(widths[:-1])]


def field(code: str) -> str:
    """A field that Word computes, such as PAGE."""
    steps = ("begin", f'<w:instrText xml:space="preserve"> {code} </w:instrText>', "separate", "<w:t>1</w:t>", "end")
    return "".join(f"<w:r>{one if one.startswith('<') else mark(one)}</w:r>" for one in steps)


def mark(kind: str, *, dirty: bool = False) -> str:
    """A beginning, middle or end of a field; a dirty one is computed when the file is opened."""
    late = ' w:dirty="true"' if dirty else ""
    return f'<w:fldChar w:fldCharType="{kind}"{late}/>'


def kept(xml: str) -> str:
    """The same paragraphs, each on the page of the next one."""
    return _STYLE.sub(r"\1<w:keepNext/>", xml)


def watermark(text: str, number: int) -> str:
    """Words across the page, behind the text, as Word's own 水印 writes them (VML, ECMA-376 part 4 §19)."""
    shown = on_line(text)
    short = len(shown) <= 4  # noqa: PLR2004 - such as 演示: large and red
    width, height, color = (360, 180, "#e8a0a0") if short else (430, 36, "silver")
    style = (
        f"position:absolute;width:{width}pt;height:{height}pt;rotation:315;z-index:-251658752;"
        "mso-position-horizontal:center;mso-position-horizontal-relative:margin;"
        "mso-position-vertical:center;mso-position-vertical-relative:margin"
    )
    return (
        '<w:r><w:pict><v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800" '
        'path="m@7,l@8,m@5,21600l@6,21600e"><v:formulas><v:f eqn="sum #0 0 10800"/><v:f eqn="prod #0 2 1"/>'
        '<v:f eqn="sum 21600 0 @1"/><v:f eqn="sum 0 0 @2"/><v:f eqn="sum 21600 0 @3"/><v:f eqn="if @0 @3 0"/>'
        '<v:f eqn="if @0 21600 @1"/><v:f eqn="if @0 0 @2"/><v:f eqn="if @0 @4 21600"/></v:formulas>'
        '<v:path textpathok="t" o:connecttype="custom"/><v:textpath on="t" fitshape="t"/></v:shapetype>'
        f'<v:shape id="YunwangWatermark{number}" o:spid="_x0000_s{2048 + number}" type="#_x0000_t136" '
        f'style="{style}" o:allowincell="f" fillcolor="{color}" stroked="f"><v:fill opacity=".4"/>'
        f'<v:textpath style="font-family:&quot;黑体&quot;;font-size:1pt" string={quoteattr(shown)}/></v:shape>'
        "</w:pict></w:r>"
    )
