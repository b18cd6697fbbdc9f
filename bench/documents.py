"""Papers and tables, CPU seconds: ``python -m bench.documents [ROWS]``.

The peers are what one would write first: python-docx cell by cell, and the listing with all its rows in one text.
"""

from __future__ import annotations

import io
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import docx

from documents.model import Cell, Column, Cover, Document, Kind, Listing, Paragraph, Section, Table
from documents.pdf import pdf_bytes
from documents.rows import Tally, csv_chunks
from documents.sheet import write_xlsx
from documents.word import docx_bytes

AT = datetime(2026, 8, 1, tzinfo=UTC)
COLUMNS = tuple(
    Column(title=title, kind=kind) for title, kind in zip(("资产", "数量", "金额", "时间"), Kind, strict=True)
)
FIVE = (Column(title="测评项", width=2), *COLUMNS)


def cpu(work: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def rows(number: int) -> Iterator[tuple[Cell, ...]]:
    return ((f"省财政厅 {nth}", nth, Decimal(nth) / 100, AT) for nth in range(number))


def report(number: int) -> Document:
    found = tuple(
        (f"8.1.4.{nth} 应对登录的用户进行身份标识和鉴别，身份标识具有唯一性", *row)
        for nth, row in enumerate(rows(number))
    )
    text = Paragraph(text="为保障全省电子政务外网与政务云安全稳定运行，依据国家标准对各信息系统开展自查。" * 5)
    section = Section(title="结果汇总", blocks=(text, Table(columns=FIVE, rows=found, caption="测评结果")))
    return Document(
        title="自查报告", number="YW-1", organisation="省政务大数据中心", created=AT, head=Cover(), contents=True,
        watermark="张三 2026-08-01", blocks=(section,),
    )  # fmt: skip


def naive_docx(number: int) -> bytes:
    document = docx.Document()
    table = document.add_table(rows=0, cols=5)
    for nth, row in enumerate(rows(number)):
        for cell, value in zip(table.add_row().cells, (f"8.1.4.{nth}", *row), strict=True):
            cell.text = str(value)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def listing(number: int) -> Listing:
    return Listing(title="单", columns=COLUMNS, rows=rows(number), created=AT)


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def papers() -> None:
    pdf_bytes(report(1))  # fonts read once
    number = 1300
    seconds, made = cpu(lambda: pdf_bytes(report(number)))
    pages = bytes(made).count(b"/Type/Page/") or bytes(made).count(b"/Type/Page\n")  # type: ignore[call-overload]
    print(f"PDF: {number} rows x 5 and cover, {pages} pages, {seconds:.2f} s CPU (budget: 50 pages in 5 s)")
    ours, _ = cpu(lambda: docx_bytes(report(300)))
    naive, _ = cpu(lambda: naive_docx(300))
    print(f"DOCX: 300 x 5 in {ours:.3f} s, python-docx cell by cell {naive:.2f} s, ratio {naive / ours:.0f}")
    many, _ = cpu(lambda: docx_bytes(report(3000)))
    print(f"DOCX: 3000 x 5 in {many:.2f} s CPU (budget 3 s)")


def tables(number: int, folder: Path) -> None:
    tally, start = Tally(), time.perf_counter()
    chunks = csv_chunks(listing(number), tally)
    next(chunks)
    first = time.perf_counter() - start
    before = peak_kib()
    seconds, _ = cpu(lambda: [None for _ in chunks])
    print(
        f"CSV: first byte after {first * 1000:.1f} ms, {number} rows x 4 in {seconds:.1f} s CPU, memory +{(peak_kib() - before) / 1024:.1f} MiB"
    )
    write_xlsx(listing(1000), folder / "warm.xlsx")
    before = peak_kib()
    seconds, _ = cpu(lambda: write_xlsx(listing(number), folder / "rows.xlsx"))
    print(f"XLSX: {number} rows x 4 in {seconds:.1f} s CPU, memory +{(peak_kib() - before) / 1024:.1f} MiB")


if __name__ == "__main__":
    with TemporaryDirectory() as out:
        tables(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, Path(out))
    papers()
