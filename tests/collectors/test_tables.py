"""Usage tables as CONTRACT §3 says: read by value, refused with file and line, all at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.tables import read_usage
from records.errors import UserError
from records.schemas import USAGE

HEADER = "source,event_id,tenant,resource,meter,quantity,unit,start,end"
ROW = "s,e1,fin,vm-1,vcpu,4,vcpu*h,2026-11-01T00:00:00+08:00,2026-11-01T01:00:00+08:00"
TENANTS = frozenset({"fin", "税务"})


def read(text: str | bytes, source: str | None = None):
    return read_usage(text if isinstance(text, bytes) else text.encode(), "t.csv", source, TENANTS)


def table(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *rows]) + end


def cells(**more: str) -> str:
    """The sound row with other cells."""
    found = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | more
    return ",".join(found.values())


def told(result) -> list[tuple[str, str]]:
    return [(one.where, one.text()) for one in result.rejected]


SOUND = {
    "source": "s", "event_id": "e1", "tenant": "fin", "resource": "vm-1", "meter": "vcpu", "quantity": Decimal(4),
    "unit": "vcpu*h", "start": datetime(2026, 10, 31, 16, tzinfo=UTC), "end": datetime(2026, 10, 31, 17, tzinfo=UTC),
    "attributes": "{}",
}  # fmt: skip

FORMS = [
    pytest.param(table(ROW), id="plain"),
    pytest.param(table(ROW, end="\r\n"), id="CRLF"),
    pytest.param(table(ROW).rstrip("\n"), id="no last line break"),
    pytest.param("\ufeff" + table(ROW), id="BOM"),
    pytest.param(table("", ROW, "", ""), id="blank lines"),
    pytest.param(table(",".join(f'"{one}"' for one in ROW.split(","))), id="quoted"),
    pytest.param(table(cells(quantity="4.000000000"), header=HEADER), id="trailing zeros"),
    pytest.param(table(cells(start="2026-10-31T16:00:00Z", end="2026-10-31 17:00:00.000Z")), id="UTC"),
    pytest.param(table(ROW + ",", header=HEADER + ",attr.class"), id="empty attribute"),
    pytest.param(json.dumps(dict(zip(HEADER.split(","), ROW.split(","), strict=True))), id="NDJSON"),
    pytest.param(
        json.dumps(dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | {"quantity": 4, "attr.class": None}),
        id="NDJSON, number and null",
    ),
]


@pytest.mark.parametrize("text", FORMS)
def test_forms_of_the_same_row(text):
    result = read(text)
    assert (result.rows.schema, result.rows.to_pylist(), result.received, told(result)) == (
        USAGE.schema, [SOUND], 1, [],
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_are_told_apart(encoding):
    text = table(cells(tenant="税务", resource="云主机𠮷"))
    row = read(text.encode(encoding)).rows.to_pylist()[0]
    assert (row["tenant"], row["resource"]) == ("税务", "云主机𠮷")


def test_what_is_no_text_is_refused_whole():
    with pytest.raises(UserError, match="neither UTF-8 nor GB18030"):
        read(b"source,event_id\n\xff\xff\xff")


def test_attributes_are_canonical_and_empty_cells_absent():
    header = HEADER + ",attr.zone,attr.class"
    rows = read(table(ROW + ",gov,std", ROW + ",,std", ROW + ",,", ROW + ",gov,std", header=header)).rows
    assert rows["attributes"].to_pylist() == [
        '{"class":"std","zone":"gov"}', '{"class":"std"}', "{}", '{"class":"std","zone":"gov"}',
    ]  # fmt: skip


WRONG = [
    pytest.param({"quantity": value}, f"'{value}' is no quantity", id=f"quantity {value}")
    for value in ("-4", "+4", "NaN", "inf", "1e3", ".5", "5.", "1_0", "٤", "0x4", "1" * 13, "1.0000000001", " 4")
] + [
    pytest.param({"quantity": ""}, "'' is no quantity", id="no quantity"),
    pytest.param({"tenant": "tax"}, "unknown tenant 'tax'", id="unknown tenant"),
    pytest.param({"tenant": "fin "}, "unknown tenant 'fin '", id="text exactly"),
    *(pytest.param({one: ""}, f"'{one}' is empty", id=f"no {one}") for one in ("source", "event_id", "tenant", "unit")),
    pytest.param({"start": "2026-11-01T00:00:00"}, "'2026-11-01T00:00:00' is no instant of 'start'", id="no offset"),
    pytest.param({"start": "2026-11-01"}, "'2026-11-01' is no instant of 'start'", id="a date"),
    pytest.param({"end": "2026-02-30T00:00:00Z"}, "'2026-02-30T00:00:00Z' is no instant of 'end'", id="no such day"),
    pytest.param({"end": "2026-11-01T00:30:00.5Z"}, "'2026-11-01T00:30:00.5Z' is no instant of 'end'", id="fraction"),
    pytest.param(
        {"end": "2026-10-31T16:00:00Z"}, "the end 2026-10-31T16:00:00Z is not later than the start", id="empty window"
    ),
    pytest.param({"unit": "vcpu*h,x"}, "the row has 10 cells, the header 9", id="too many cells"),
    pytest.param({"unit": '"vcpu'}, "a quote is not closed on its line", id="open quote"),
    pytest.param({"unit": '"a"b'}, "the row is no CSV: ',' expected after '\"'", id="text after a quote"),
    pytest.param({"unit": "a\rb"}, "the row is no CSV: ", id="lone carriage return"),
    pytest.param({"resource": "a\0b"}, "the row holds control characters", id="binary"),
    pytest.param({"resource": "x" * 10_000_000}, "the line is longer than 131072 characters", id="10 MB line"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_a_wrong_row_is_told_and_the_others_stay(wrong, message):
    result = read(table(ROW, cells(**wrong), cells(event_id="e3")))
    assert [row["event_id"] for row in result.rows.to_pylist()] == ["e1", "e3"]
    (found,) = result.rejected
    assert (result.received, found.where, found.text()[: len(message)]) == (3, "t.csv:3", message)
    assert found.advice()


def test_all_wrong_rows_at_once_in_the_order_of_the_table():
    result = read(table(cells(quantity="x"), '"', ROW, cells(tenant="t"), "a,b", "", cells(end="never")))
    assert told(result) == [
        ("t.csv:2", "'x' is no quantity"),
        ("t.csv:3", "a quote is not closed on its line"),
        ("t.csv:5", "unknown tenant 't'"),
        ("t.csv:6", "the row has 2 cells, the header 9"),
        ("t.csv:8", "'never' is no instant of 'end'"),
    ]
    assert (result.rows.num_rows, result.received) == (1, 6)


def test_source_fills_what_is_empty_and_refuses_others():
    result = read(table(cells(source=""), cells(source="other"), cells(source="s")), source="s")
    assert result.rows["source"].to_pylist() == ["s", "s"]
    assert told(result) == [("t.csv:3", "the row is of source 'other', not 's'")]
    absent = read(table(ROW.removeprefix("s,"), header=HEADER.removeprefix("source,")), source="s")
    assert absent.rows.to_pylist() == [SOUND]


@pytest.mark.parametrize(
    ("header", "messages"),
    [
        pytest.param("", [f"column '{one}' is missing" for one in HEADER.split(",")], id="empty"),
        pytest.param(
            HEADER.replace("unit", "units"), ["column 'unit' is missing", "unknown column 'units'"], id="renamed"
        ),
        pytest.param(HEADER + ",attr.,note", ["unknown column 'attr.'", "unknown column 'note'"], id="unknown"),
        pytest.param(HEADER + ",unit", ["column 'unit' stands twice"], id="twice"),
        pytest.param(HEADER.replace("unit", '"unit'), ["the header is broken: unexpected end of data"], id="broken"),
    ],
)
def test_a_wrong_header_refuses_the_table_with_all_reasons(header, messages):
    with pytest.raises(UserError) as caught:
        read(table(ROW, header=header))
    assert [(one.where, one.text()) for one in caught.value.problems] == [("t.csv:1", one) for one in messages]


def test_a_header_alone_is_a_table_without_rows():
    result = read(HEADER)
    assert (result.rows.num_rows, result.received, result.rejected) == (0, 0, ())


def line(**more: object) -> str:
    return json.dumps(dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | more, ensure_ascii=False)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("{", "the line is no JSON: "),
        ("[1]", "the line is no JSON object"),
        ('{"a":1,"a":2}', "the line is no JSON: a name stands twice"),
        (line().replace('"4"', "NaN"), "the line is no JSON: NaN is no JSON number"),
        (line().replace('"4"', "-4"), "'-4' is no quantity"),
        (line().replace('"4"', "4e0"), "'4e0' is no quantity"),
        (line().replace('"4"', "0.1234567891"), "'0.1234567891' is no quantity"),
        (line(note="x"), "unknown column 'note'"),
        (line(tenant=7), "'tenant' is no text"),
        (line(quantity=[4]), "'quantity' is no text"),
        (line(unit=True), "'unit' is no text"),
        ('{"event_id":"e"}', "'source' is empty"),
        (line().replace("vm-1", "\\ud800"), "the row holds half a character"),
        (line().replace("vm-1", "\\u0000"), "the row holds control characters"),
        (line(resource="x" * 10_000_000), "the line is longer than 131072 characters"),
        ("[" * 100_000, "the line is no JSON: "),
    ],
)
def test_a_wrong_line_of_ndjson_is_told(wrong, message):
    result = read("\n".join([line(), wrong, "", line(event_id="e4")]))
    assert [row["event_id"] for row in result.rows.to_pylist()] == ["e1", "e4"]
    (found,) = result.rejected
    assert (result.received, found.where, found.text()[: len(message)]) == (3, "t.csv:2", message)


def test_ndjson_numbers_are_read_digit_by_digit():
    rows = read("\n".join([line().replace('"4"', "0.1"), line().replace('"4"', "123456789012.123456789")])).rows
    assert rows["quantity"].to_pylist() == [Decimal("0.1"), Decimal("123456789012.123456789")]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot read the table: No such file"):
        read_usage(tmp_path / "none.csv", "none.csv", None, TENANTS)
    path = tmp_path / "usage.csv"
    path.write_text(table(ROW), encoding="utf-8")
    assert read_usage(path, "usage.csv", None, TENANTS).rows.to_pylist() == [SOUND]


plain = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters='",\r\n'), min_size=1)
texts = st.one_of(plain, st.sampled_from(["4", "fin", "", "2026-11-01T00:00:00Z", "2026-11-01T01:00:00Z", "-1"]))


@settings(deadline=None)
@given(st.lists(st.lists(texts, min_size=9, max_size=9), max_size=6))
def test_the_quick_way_agrees_with_the_careful_one(rows):
    """A quoted header sends the same table past Arrow's parser."""
    quick = read(table(*map(",".join, rows)))
    careful = read(table(*map(",".join, rows), header=HEADER.replace("unit", '"unit"')))
    assert (quick.rows, quick.received, told(quick)) == (careful.rows, careful.received, told(careful))


@settings(deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_a_result_or_an_error(data, with_header):
    try:
        result = read((HEADER.encode() + b"\n" if with_header else b"") + data)
    except UserError:
        return
    assert result.received == result.rows.num_rows + len(result.rejected)
