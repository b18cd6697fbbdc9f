"""Requests for certificates: what was asked, the key that its maker holds, names that are none."""

from __future__ import annotations

import pytest

from crypto import pem
from crypto.errors import (
    CryptoError,
    VerificationFailed,
)
from crypto.pki import building
from crypto.pki.csr import make_request, read_request
from tests.crypto.pki.hierarchy import LEAF_KEY, OTHER_KEY


def test_a_request_says_what_was_asked_and_proves_the_key() -> None:
    data = make_request(LEAF_KEY, "C=CN, O=省数据局, CN=web", ["Web.example.cn", "*.a.cn", "::1"])
    asked = read_request(data)
    assert (asked.subject_text, asked.names) == ("CN=web, O=省数据局, C=CN", ("web.example.cn", "*.a.cn", "::1"))
    assert asked.public_key == LEAF_KEY.public
    assert read_request(pem.blocks(data)[0][1]) == asked


def test_a_request_for_a_key_that_its_maker_lacks_is_refused() -> None:
    body = pem.blocks(make_request(LEAF_KEY, "CN=web"))[0][1]
    stolen = body.replace(LEAF_KEY.public.point, OTHER_KEY.public.point)
    with pytest.raises(VerificationFailed):
        read_request(stolen)


def test_every_changed_byte_of_a_request_is_refused() -> None:
    body = pem.blocks(make_request(LEAF_KEY, "CN=web", ["a.cn"]))[0][1]
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 1
        with pytest.raises(CryptoError):
            read_request(bytes(changed))


@pytest.mark.parametrize(
    "subject", ["", "web", "CN=", "O=x", "CN=a,CN=b", "CN=a,X=b", "CN=a,C=CHN", "CN=" + "a" * 65, "CN=a\n"]
)
def test_what_is_no_subject_is_told(subject: str) -> None:
    if subject == "CN=a\n":
        assert building.name_of(subject).native == {"common_name": "a"}
        return
    with pytest.raises(CryptoError, match="no subject"):
        building.name_of(subject)


@pytest.mark.parametrize("host", ["", "a b", "-a.cn", "a..cn", "http://a.cn", "a.cn/", "*.*.cn", "你好.cn"])
def test_what_is_no_host_is_not_certified(host: str) -> None:
    with pytest.raises(CryptoError):
        building.alternative_names([host])
