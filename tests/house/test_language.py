"""Every message has its Chinese; YW_WRITE=1 adds missing ones to the catalogue, empty, and compiles it."""

from __future__ import annotations

import gettext
import io
import os
import re

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tests.house.messages import templates
from yunwang.language import LOCALES

PO = LOCALES / "zh_CN" / "LC_MESSAGES" / "yunwang.po"
FIELD = re.compile(r"(?<!\{)\{(\w+)\}")


def catalogue():
    with PO.open("rb") as stream:
        return read_po(stream, locale="zh_CN", domain="yunwang")


def write() -> None:
    found, wanted = catalogue(), templates()
    for text in wanted:
        if text not in found:
            found.add(text)
    for message in list(found):
        if message.id and message.id not in wanted:
            del found[message.id]
        else:
            message.locations = []
    with PO.open("wb") as stream:
        write_po(stream, found, width=140, sort_output=True, omit_header=False)
    with PO.with_suffix(".mo").open("wb") as stream:
        write_mo(stream, found)


def test_every_message_has_its_chinese() -> None:
    if os.environ.get("YW_WRITE"):
        write()
    found = {message.id: message.string for message in catalogue() if message.id}
    missing = [f"{place}: {text}" for text, place in templates().items() if not found.get(text)]

    assert missing == []


def test_no_translation_is_left_over() -> None:
    assert {message.id for message in catalogue() if message.id} - set(templates()) == set()


def test_a_translation_names_the_same_values() -> None:
    wrong = [
        message.id
        for message in catalogue()
        if message.id and not set(FIELD.findall(message.string)) <= set(FIELD.findall(message.id))
    ]
    assert wrong == []


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue())
    compiled.seek(0)
    kept = PO.with_suffix(".mo").open("rb")
    with kept:
        assert gettext.GNUTranslations(kept)._catalog == gettext.GNUTranslations(compiled)._catalog
