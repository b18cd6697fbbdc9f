"""Which addresses a web channel connects to (SSRF): one case a line."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.address import AddressError, Target, allowed, check, target_of
from notify.notice import Failed
from notify.web import Reach, post


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("8.8.8.8", True, True),
        ("2400:3200::1", True, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("10.1.2.3", False, True),
        ("172.16.0.1", False, True),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("fd12::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("64:ff9b::7f00:1", False, True),
        ("2002:7f00:1::", False, True),
        ("::127.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::", False, False),
        ("100.100.100.200", False, False),
        ("fd00:ec2::254", False, False),
        ("169.254.1.1", False, False),
        ("fe80::1", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 - one that is refused
        ("::", False, False),
        ("255.255.255.255", False, True),
    ],
)
def test_addresses(address: str, public: bool, private: bool) -> None:
    found = ipaddress.ip_address(address)
    for asked, good in ((False, public), (True, private)):
        try:
            check(found, private=asked)
        except AddressError:
            assert not good
        else:
            assert good


@given(st.ip_addresses(v=4).filter(lambda one: not one.is_global))
def test_no_disguise_of_a_private_address_passes(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    disguises = [number, 0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80]
    for one in (inner, *(ipaddress.IPv6Address(each) for each in disguises)):
        with pytest.raises(AddressError):
            check(one, private=False)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "http://", "http:///x", "//example.com",
        "http://user:word@example.com/", "http://example.com\\@127.0.0.1/", "http://exa mple.com/",
        "http://example.com/\r\nHost: other", "http://[::1", "http://example.com:99999/", "http://例子.com/", "",
    ],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(AddressError):
        target_of(url)


def test_a_target_taken_apart() -> None:
    assert target_of("https://Example.com/a?b=c#d") == Target(secure=True, host="example.com", port=443, path="/a?b=c")
    assert target_of("http://[::1]:80").authority == "[::1]"
    assert target_of("http://example.com:8080/").authority == "example.com:8080"


def test_one_bad_address_among_many_refuses_the_name() -> None:
    target = target_of("http://example.com/")
    with pytest.raises(AddressError):
        allowed(target, private=False, ask=lambda _host, _port: ["8.8.8.8", "127.0.0.1"])


def test_a_name_is_asked_once_so_rebinding_gains_nothing() -> None:
    answers = iter([["127.0.0.1"], ["8.8.8.8"]])
    receipt = post("http://rebind.example/", b"", {}, Reach(ask=lambda _host, _port: next(answers)))
    assert isinstance(receipt, Failed)
    assert next(answers) == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "017700000001", "localhost", "[::ffff:7f00:1]"])
def test_spellings_of_loopback(host: str) -> None:
    receipt = post(f"http://{host}:1/", b"", {}, Reach())
    assert isinstance(receipt, Failed), receipt
