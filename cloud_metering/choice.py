"""Which sku a usage record is: match rules over its attributes (CONTRACT §4). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cloud_metering.model import Catalogue

ATTRIBUTE = "attr."
PLAIN = ("source", "tenant", "resource")  # columns that a rule may name beside attr.*


def sku_for(meter: str, values: Mapping[str, str], catalogue: Catalogue) -> str | None:
    """The sku of a record: of the first rule that it meets, else the meter's only one; None if undecided."""
    skus = catalogue.skus_of_meter.get(meter, ())
    for rule in catalogue.rules:
        if rule.sku in skus and all(values.get(name) == text for name, text in rule.where.items()):
            return rule.sku
    return skus[0] if len(skus) == 1 else None


def classify(usage: pa.Table, names: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[Mapping[str, str]]]:
    """Number the distinct combinations of the columns that the rules look at.

    Returns:
        A number for each row, and the columns' values by that number; an absent or empty attribute is left out.
    """
    codes = np.zeros(usage.num_rows, np.int64)
    values: list[Mapping[str, str]] = [{}]
    for column in _columns(names):
        wanted = [name for name in names if _column(name) == column]
        inner, found = _encode(usage.column(column), wanted)
        codes, values = _combine(codes, values, inner, found)
    return codes, values


def _columns(names: Sequence[str]) -> list[str]:
    return sorted({_column(name) for name in names})


def _column(name: str) -> str:
    return "attributes" if name.startswith(ATTRIBUTE) else name


def _encode(column: pa.ChunkedArray, names: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[Mapping[str, str]]]:
    """Distinct values of one column and their number for each row; each distinct text is looked into once."""
    encoded = pc.fill_null(column, "{}").combine_chunks().dictionary_encode()
    looked = [_values(text, names) for text in encoded.dictionary.to_pylist()]
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    small = [numbers.setdefault(tuple(one.items()), len(numbers)) for one in looked]
    codes = np.asarray(small, np.int64)[encoded.indices.to_numpy()]
    return codes, [dict(one) for one in numbers] or [{}]


def _values(text: str, names: Sequence[str]) -> Mapping[str, str]:
    if names and names[0] in PLAIN:
        return {names[0]: text}
    attributes = json.loads(text)
    found = {name: attributes.get(name.removeprefix(ATTRIBUTE)) for name in names}
    return {name: str(value) for name, value in found.items() if value not in (None, "")}


def _combine(
    codes: npt.NDArray[np.int64],
    values: Sequence[Mapping[str, str]],
    inner: npt.NDArray[np.int64],
    found: Sequence[Mapping[str, str]],
) -> tuple[npt.NDArray[np.int64], list[Mapping[str, str]]]:
    distinct, numbered = np.unique(codes * len(found) + inner, return_inverse=True)
    both = [divmod(int(one), len(found)) for one in distinct]
    return numbered.astype(np.int64), [{**values[outer], **found[own]} for outer, own in both] or [{}]
