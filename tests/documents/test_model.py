from __future__ import annotations

from collections.abc import Callable

import pytest

from documents.model import Listing, Picture, Sum, Table, columns
from tests.documents.sample import AT, png, report

PAIR = columns("甲", "乙")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(lambda: Table(columns=(), rows=()), "no columns", id="table without columns"),
        pytest.param(lambda: Table(columns=PAIR, rows=(("a",),)), "row 0 does not fit 2", id="short row"),
        pytest.param(
            lambda: Table(columns=PAIR, rows=(("a", "b"), ("a", "b", "c"))), "row 1 does not fit 2", id="long row"
        ),
        pytest.param(
            lambda: Table(columns=PAIR, rows=(Sum(label="合计", cells=("1", "2")),)),
            "row 0 does not fit 2",
            id="totals as wide as the table",
        ),
        pytest.param(lambda: Picture(png=b"GIF89a", alt="图"), "no PNG", id="a GIF"),
        pytest.param(lambda: Picture(png=png()[:20], alt="图"), "no PNG", id="half a PNG"),
        pytest.param(lambda: Picture(png=png(), alt="图", width=0), "width", id="no width"),
        pytest.param(lambda: Picture(png=png(), alt="图", width=1.5), "width", id="too wide"),
        pytest.param(lambda: report(created=AT.replace(tzinfo=None)), "naive", id="naive document"),
        pytest.param(
            lambda: Listing(title="单", columns=PAIR, rows=(), created=AT.replace(tzinfo=None)),
            "naive",
            id="naive listing",
        ),
        pytest.param(
            lambda: Listing(title="单", columns=(), rows=(), created=AT), "no columns", id="listing without columns"
        ),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(make: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()
