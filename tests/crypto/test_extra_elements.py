"""Nothing may stand behind the last element of a SEQUENCE that no signature covers; extensions are read in one place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from asn1crypto import core, x509

from crypto import asn1, pem
from crypto.errors import InvalidEncoding
from crypto.pki import building, ocsp, profiles
from crypto.pki.crl import make_list, parse_list
from crypto.pki.csr import make_request, read_request
from crypto.pki.profiles import Profile
from crypto.sm2 import generate
from crypto.x509 import extension_values, parse_certificate
from tests.crypto.conftest import AT

KEY = generate()
CA = profiles.root(KEY, building.name_of("CN=ca"), AT, 400, None)
LEAF = profiles.end_entity(Profile.SERVER, KEY.public, building.name_of("CN=web"), (KEY, CA), AT, 30)
NONCE = b"n" * 32
ANSWER = ocsp.Responder(key=KEY, certificate=CA, issuer=CA).answer(
    ocsp.make_request(LEAF, CA, NONCE), lambda _: True, AT
)
OUTER: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "certificate": (LEAF.der, parse_certificate),
    "list": (make_list(KEY, CA, {}, 1, AT).der, parse_list),
    "request": (pem.blocks(make_request(KEY, "CN=web"))[0][1], read_request),
    "OCSP request": (ocsp.make_request(LEAF, CA, NONCE), ocsp.read_request),
    "OCSP response": (ANSWER, lambda data: ocsp.check_response(data, LEAF, CA, NONCE, AT)),
}


def longer(data: bytes, more: bytes) -> bytes:
    """The SEQUENCE with one element more, its length mended."""
    found = core.Sequence.load(data)
    return bytes(core.Any(core.Sequence(contents=found.contents + more)).dump())


@pytest.mark.parametrize("kind", OUTER)
@pytest.mark.parametrize(
    "more", [b"\x05\x00", b"\x04\x01x", b"\xa3\x02\x05\x00", b"\x30\x00"], ids=["NULL", "bytes", "tagged", "sequence"]
)
def test_an_element_behind_the_last_is_refused(kind: str, more: bytes) -> None:
    sound, read = OUTER[kind]
    read(sound)
    changed = longer(sound, more)
    assert core.Sequence.load(changed).contents.endswith(more)
    with pytest.raises(InvalidEncoding):
        read(changed)


def test_an_element_behind_the_last_of_the_inner_response_is_refused() -> None:
    """BasicOCSPResponse lies in an OCTET STRING, where the outer shape does not look."""
    inner = asn1.load(ocsp.ocsp.OCSPResponse, ANSWER)["response_bytes"]["response"].contents
    kind = core.ObjectIdentifier(ocsp.BASIC).dump()

    def wrapped(body: bytes) -> bytes:
        inside = core.Sequence(contents=kind + core.OctetString(body).dump(), explicit=0)
        return bytes(core.Sequence(contents=b"\x0a\x01\x00" + inside.dump()).dump())

    assert wrapped(inner) == ANSWER
    with pytest.raises(InvalidEncoding):
        ocsp.check_response(wrapped(longer(inner, b"\x05\x00")), LEAF, CA, NONCE, AT)


def extensions(*these: tuple[str, bool]) -> x509.Extensions:
    return x509.Extensions([building.extension(name, {"ca": True}, critical=critical) for name, critical in these])


def test_extensions_are_read_once_known_and_allowed() -> None:
    known, name = frozenset({"basic_constraints"}), "basic_constraints"
    assert extension_values(None, known) == {}
    assert extension_values(extensions((name, True)), known)[name]["ca"] is True
    assert name in extension_values(extensions((name, False)), frozenset())
    for found, may, never in (
        (((name, True),), frozenset[str](), frozenset[str]()),
        (((name, False), (name, False)), known, frozenset[str]()),
        (((name, False),), known, known),
    ):
        with pytest.raises(InvalidEncoding, match="repeated, or critical"):
            extension_values(extensions(*found), may, never)
