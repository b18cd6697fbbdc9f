"""Whom a certificate is for: one reading of names for servers that are called and for clients that are admitted."""

from __future__ import annotations

import pytest

from crypto.errors import NameMismatch
from crypto.pki import building, names_of, profiles
from crypto.pki.chain import check_admitted, check_name, responder_of
from crypto.pki.profiles import Profile
from crypto.sm2 import generate
from crypto.x509 import Certificate
from tests.crypto.conftest import AT

KEY = generate()
CA = profiles.root(KEY, building.name_of("CN=ca"), AT, 400, None)


def certificate(*names: str, common: str = "edge-1") -> Certificate:
    subject = building.name_of(f"CN={common}")
    return profiles.end_entity(Profile.CLIENT, KEY.public, subject, (KEY, CA), AT, 30, names)


@pytest.mark.parametrize(
    ("names", "admitted", "fits"),
    [
        (("edge-2.cn",), {"edge-2.cn"}, True),
        (("edge-2.cn",), {"EDGE-2.cn."}, True),
        (("::1",), {"0:0::1"}, True),
        (("a.cn", "10.0.0.1"), {"x", "10.0.0.1"}, True),
        ((), {"edge-1"}, False),
        (("a.cn",), {"edge-1"}, False),
        (("*.gov.cn",), {"a.gov.cn"}, False),
        (("*.gov.cn",), {"*.gov.cn"}, False),
        (("a.gov.cn",), {"*.gov.cn"}, False),
        (("10.0.0.1",), {"10.0.0.2"}, False),
    ],
)
def test_who_is_admitted(names: tuple[str, ...], admitted: set[str], fits: bool) -> None:
    if fits:
        check_admitted(certificate(*names), admitted)
        return
    with pytest.raises(NameMismatch, match="not among the admitted"):
        check_admitted(certificate(*names), admitted)


def test_a_common_name_is_no_name() -> None:
    one = certificate(common="a.cn")
    assert (names_of(one).dns, names_of(one).addresses) == ((), ())
    with pytest.raises(NameMismatch, match=r"not for a\.cn"):
        check_name(one, "a.cn")


def test_the_advice_names_what_would_do() -> None:
    with pytest.raises(NameMismatch) as refused:
        check_admitted(certificate("a.cn", "10.0.0.1"), {"b.cn"})
    (problem,) = refused.value.problems
    assert problem.next_step.format_map(problem.values) == "admit one of its names: a.cn, 10.0.0.1"


def test_where_the_responder_is() -> None:
    assert responder_of(CA) is None
    rows = [("ca_issuers", "http://ca.cn/ca.cer"), ("ocsp", "http://ocsp.cn/")]
    assert responder_of(accessible(*rows)) == "http://ocsp.cn/"
    assert responder_of(accessible(rows[0])) is None


def accessible(*rows: tuple[str, str]) -> Certificate:
    from asn1crypto import x509  # noqa: PLC0415 - beside its only use

    information = [
        {"access_method": kind, "access_location": x509.GeneralName("uniform_resource_identifier", url)}
        for kind, url in rows
    ]
    name = building.name_of("CN=below")
    extensions = [building.extension("authority_information_access", information)]
    return building.sign(building.tbs(name, name, KEY.public, AT, 30, extensions), KEY)
