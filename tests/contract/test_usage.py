"""CONTRACT §3: usage tables through ``yw meter``; every row is stored, a duplicate, in conflict or rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.running import Platform

NAMES = ("source", "event_id", "tenant", "resource", "meter", "quantity", "unit", "start", "end")
HEADER = ",".join(NAMES)
SOUND = dict(zip(NAMES, (
    "csv", "e1", "fin-core", "云主机1", "vcpu", "4", "vcpu*h", "2026-07-01T00:00:00+08:00", "2026-07-01T01:00:00+08:00",
), strict=True))  # fmt: skip


def row(**cells: str) -> str:
    """A sound row with other cells."""
    return ",".join((SOUND | cells).values())


def table(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def bring(site: Platform, folder: Path, content: str | bytes, *more: str, code: int = 0, name: str = "t.csv") -> Any:
    """Import a table; ``where`` of what was rejected is cut down to the line."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = site.json("meter", "import", str(file), *more, code=code)
    for one in found["rejected"]:
        assert one["where"].startswith(f"{file}:")
        one["where"] = int(one["where"].rpartition(":")[2])
    assert found["received"] == sum(found[key] for key in ("stored", "duplicates", "conflicts")) + len(
        found["rejected"]
    )
    return found


def counts(received: int, stored: int = 0, duplicates: int = 0, conflicts: int = 0) -> dict[str, Any]:
    return {
        "received": received, "stored": stored, "duplicates": duplicates, "conflicts": conflicts, "rejected": [],
    }  # fmt: skip


def test_every_encoding_and_form_is_the_same_row(site: Platform, folder: Path) -> None:
    text = table(row(source="forms"), row(source="forms", event_id="e2"))
    record = SOUND | {"source": "forms", "quantity": 4.0, "start": "2026-06-30T16:00:00Z"}
    forms = {
        "BOM": text.encode("utf-8-sig"),
        "GB18030": text.encode("gb18030"),
        "CRLF": text.replace("\n", "\r\n").encode(),
        "by value": text.replace(",4,", ",4.000,")
        .replace("2026-07-01T00:00:00+08:00", "2026-06-30T16:00:00Z")
        .encode(),
        "NDJSON": "".join(
            json.dumps(record | {"event_id": name}, ensure_ascii=False) + "\n" for name in ("e1", "e2")
        ).encode(),
    }

    assert bring(site, folder, text) == counts(2, stored=2)
    for name, content in forms.items():
        assert bring(site, folder, content) == counts(2, duplicates=2), name


def test_the_first_payload_stays_and_each_later_one_counts_as_conflict(site: Platform, folder: Path) -> None:
    bring(site, folder, table(row(source="strife", meter="disk", unit="GB*h")))
    other = table(row(source="strife", meter="disk", unit="GB*h", quantity="5"))
    text = table(row(source="strife", meter="disk", unit="GB*h", resource="云主机1 "))

    assert bring(site, folder, other, code=1) == counts(1, conflicts=1)
    assert bring(site, folder, other, code=1) == counts(1, conflicts=1)
    assert bring(site, folder, text, code=1) == counts(1, conflicts=1)
    assert [one for one in site.json("meter", "ls", "--month", "2026-07") if one["meter"] == "disk"] == [
        {
            "tenant": "fin-core", "meter": "disk", "unit": "GB*h", "quantity": "4.000000", "events": 1,
            "until": "2026-06-30T17:00:00Z",
        }
    ]  # fmt: skip
    # the same later payload is quarantined once, counted each time
    assert next(one for one in site.json("meter", "sources") if one["source"] == "strife")["conflicts"] == 2


WRONG = {
    "quantity": ("-4", "+4", "NaN", "1e3", ".5", "1" * 13, "1.0000000001", ""),
    "tenant": ("nobody", "fin-core "),
    "source": ("other", "csv2"),
    "start": ("2026-07-01T00:00:00", "2026-07-01", "2026-07-01T00:00:00.5Z", "2026-07-01T01:00:00+08:00"),
    "event_id": ("",),
    "unit": ("", "vcpu*h,x"),
}


def test_a_wrong_row_is_rejected_with_its_line_and_the_others_stay(site: Platform, folder: Path) -> None:
    wrong = [row(**{"source": "", name: value}) for name, values in WRONG.items() for value in values]
    rows = [row(source="", event_id="first"), *wrong, row(source="", event_id="last")]
    found = bring(site, folder, table(*rows), "--source", "csv", code=1)

    assert [one["where"] for one in found["rejected"]] == list(range(3, len(wrong) + 3))
    assert {frozenset(one) for one in found["rejected"]} == {frozenset({"where", "what"})}
    assert found | {"rejected": []} == counts(len(rows), stored=2)


def test_a_source_of_the_command_line_fills_an_absent_column(site: Platform, folder: Path) -> None:
    plain = table(row().removeprefix("csv,"), header=HEADER.removeprefix("source,"))
    (folder / "plain.csv").write_text(plain)
    refused = site.run("meter", "import", str(folder / "plain.csv"))

    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.splitlines()[1] == f"where: {folder / 'plain.csv'}:1"
    assert bring(site, folder, plain, "--source", "filled") == counts(1, stored=1)


def test_the_limits_of_a_quantity_are_kept_to_the_last_digit(site: Platform, folder: Path) -> None:
    most, least = "999999999999.999999999", "0.000000001"
    cells = {"source": "limits", "meter": "gpu", "unit": "gpu*h"}
    text = table(row(**cells, quantity=most), row(**cells, event_id="e2", quantity=least))

    assert bring(site, folder, text) == counts(2, stored=2)
    assert bring(site, folder, text.replace("9,gpu*h", "8,gpu*h"), code=1) == counts(2, duplicates=1, conflicts=1)


def test_a_number_of_ndjson_is_read_digit_by_digit(site: Platform, folder: Path) -> None:
    record = json.dumps(SOUND | {"source": "json", "quantity": "Q"}, ensure_ascii=False)
    written = record.replace('"Q"', "0.123456789") + "\n" + record.replace('"Q"', '"0.123456789"') + "\n"
    longer = record.replace('"Q"', "0.1234567891") + "\n" + record.replace('"Q"', "1e3") + "\n"
    refused = bring(site, folder, longer, name="u.ndjson", code=1)

    assert bring(site, folder, written, name="t.ndjson") == counts(2, stored=1, duplicates=1)
    assert [one["where"] for one in refused["rejected"]] == [1, 2]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(HEADER.encode() + b"\n\xff\xff\xff\n", id="neither UTF-8 nor GB18030"),
        pytest.param(HEADER.replace("quantity", "amount").encode() + b"\n", id="unknown column"),
        pytest.param(HEADER.replace(",unit", "").encode() + b"\n", id="missing column"),
    ],
)
def test_a_file_that_is_no_usage_table_is_refused_whole(site: Platform, folder: Path, content: bytes) -> None:
    file = folder / "none.csv"
    file.write_bytes(content)
    found = site.run("meter", "import", str(file), "--source", "csv")

    assert (found.returncode, found.stdout) == (3, "")
    lines = found.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["error", "where", "next"] * (len(lines) // 3)
    assert all(str(file) in line for line in lines[1::3])
    assert lines


def test_overlapping_windows_are_stored_and_billed_and_told(site: Platform, folder: Path) -> None:
    cells = {"source": "twice", "meter": "eip", "unit": "eip*h", "tenant": "moved", "quantity": "1"}
    prices = folder / "eip.yaml"
    prices.write_text(
        "yunwang_catalogue: 1\ncurrency: CNY\n"
        'prices: [{sku: eip, meter: eip, unit: eip*h, model: flat, price: "1"},'
        ' {sku: vcpu, meter: vcpu, unit: vcpu*h, model: flat, price: "1"}]\n'
    )
    later = {"start": "2026-07-01T00:30:00+08:00", "end": "2026-07-01T01:30:00+08:00"}
    stored = bring(site, folder, table(row(**cells), row(**cells, **{"event_id": "e2"} | later)))
    drawn = site.json("bill", "draft", "--month", "2026-07", "--org", "fin", "--catalogue", str(prices), code=1)

    assert stored == counts(2, stored=2)
    assert [one["amount"] for one in drawn["lines"] if one["sku"] == "eip"] == ["2.00"]
    assert [(one["what"], one["tenant"], one["meter"]) for one in drawn["findings"] if one["meter"] == "eip"] == [
        ("overlap", "moved", "eip")
    ]
