"""Time stamps: what is asked comes back, bound to the question, the data and an authority that does nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import tsp as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import asn1
from crypto.cms import shapes
from crypto.cms.signing import encode_signed, signer_info, signing_time
from crypto.cms.token import TimeInfo, certificate_name, encode_info, parse_info
from crypto.errors import CertificateExpired, CryptoError, DigestMismatch, VerificationFailed, WrongUsage
from crypto.identity import SiteIdentity
from crypto.sm3 import sm3
from crypto.timestamp import (
    Authority,
    Request,
    Serials,
    TimestampRefused,
    make_request,
    parse_request,
    parse_response,
    read_token,
    verify_response,
)
from crypto.timestamp.request import BadRequest
from crypto.timestamp.response import rejected
from tests.crypto.conftest import AT

DIGEST = sm3(b"data")
MALFORMED = [b"", b"\x30", b"\x30\x80\0\0", b"\x30\0", b"\0" * 40, b"\x30\x83\xff\xff\xff"]


def grant(authority: Authority, request: Request) -> tuple[bytes, bytes]:
    response = authority.answer(request.encode())
    return response, parse_response(response)


def test_a_granted_request_tells_the_time_and_its_authority(authority: Authority) -> None:
    request = make_request(DIGEST)
    token, found = verify_response(authority.answer(request.encode()), request, [authority.identity.anchor])
    expected = TimeInfo(
        policy=authority.policy,
        digest=DIGEST,
        serial=found.info.serial,
        at=AT,
        accuracy=timedelta(seconds=1),
        nonce=request.nonce,
    )
    assert (found.info, found.trusted, found.path) == (expected, True, authority.identity.chain)
    assert found.authority.startswith("CN=省数据局 time stamps")
    assert read_token(token, DIGEST, []).trusted is False


def test_asn1crypto_s_own_reader_reads_request_and_response(authority: Authority) -> None:
    request = make_request(DIGEST)
    asked = peer.TimeStampReq.load(request.encode(), strict=True)
    assert (asked["nonce"].native, asked["cert_req"].native) == (request.nonce, True)
    token = parse_response(authority.answer(request.encode()))
    found = peer.ContentInfo.load(token, strict=True)["content"]
    info = found["encap_content_info"]["content"].parsed
    assert (info["gen_time"].native, info["ordering"].native, info["nonce"].native) == (AT, False, request.nonce)
    kinds = [one["type"].native for one in found["signer_infos"][0]["signed_attrs"]]
    assert sorted(kinds) == ["content_type", "message_digest", "signing_certificate_v2", "signing_time"]


def test_a_token_for_other_data_nonce_or_policy_is_refused(authority: Authority) -> None:
    request = make_request(DIGEST)
    response = authority.answer(request.encode())
    anchors = [authority.identity.anchor]
    with pytest.raises(DigestMismatch):
        verify_response(response, replace(request, digest=sm3(b"date")), anchors)
    with pytest.raises(TimestampRefused, match="nonce"):
        verify_response(response, replace(request, nonce=(request.nonce or 0) + 1), anchors)
    with pytest.raises(TimestampRefused, match="policy"):
        verify_response(response, replace(request, policy="1.2.3"), anchors)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(Request(digest=DIGEST, policy="1.2.3").encode(), "unacceptedPolicy", id="policy"),
        pytest.param(Request(digest=b"short").encode(), "badDataFormat", id="short digest"),
        pytest.param(Request(digest=DIGEST, nonce=1 << 600).encode(), "badDataFormat", id="huge nonce"),
        pytest.param(bytes(1 << 20), "badDataFormat", id="huge"),
        pytest.param(
            peer.TimeStampReq(
                {"version": 1, "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": DIGEST}}
            ).dump(),
            "badAlg",
            id="SHA-256",
        ),
        pytest.param(
            Request(digest=DIGEST).encode().replace(b"\x02\x01\x01", b"\x02\x01\x02", 1), "badRequest", id="version"
        ),
        *(pytest.param(one, "badDataFormat", id=one.hex()) for one in MALFORMED),
    ],
)
def test_bad_requests_are_refused_with_their_reason(authority: Authority, request_: bytes, reason: str) -> None:
    with pytest.raises(TimestampRefused, match=reason):
        parse_response(authority.answer(request_))


def test_extensions_are_refused(authority: Authority) -> None:
    fields = {
        "version": 1,
        "message_imprint": {"hash_algorithm": {"algorithm": "1.2.156.10197.1.401"}, "hashed_message": DIGEST},
        "extensions": [{"extn_id": "1.2.3", "extn_value": b""}],
    }
    with pytest.raises(TimestampRefused, match="unacceptedExtension"):
        parse_response(authority.answer(peer.TimeStampReq(fields).dump()))


def test_no_certificate_unless_it_is_asked_for(authority: Authority) -> None:
    _, token = grant(authority, Request(digest=DIGEST, with_certificate=False))
    assert not shapes.SignedContent.load(token)["content"]["certificates"]


def test_an_authority_whose_certificate_has_expired_gives_no_time(authority: Authority) -> None:
    late = replace(authority, clock=lambda: AT + timedelta(days=365 * 6))
    with pytest.raises(TimestampRefused, match="timeNotAvailable"):
        parse_response(late.answer(make_request(DIGEST).encode()))


def test_a_damaged_serial_file_is_a_system_failure(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "tsa").mkdir(mode=0o700)
    (tmp_path / "tsa" / "serial.json").write_text("{}")
    broken = replace(authority, serials=Serials(tmp_path / "tsa" / "serial.json"))
    with pytest.raises(TimestampRefused, match="systemFailure"):
        parse_response(broken.answer(make_request(DIGEST).encode()))


def test_only_a_certificate_for_time_stamping_alone_makes_an_authority(authority: Authority, identity) -> None:
    with pytest.raises(CryptoError, match="not for time stamping alone"):
        replace(authority, identity=identity)
    with pytest.raises(CryptoError, match="no OID"):
        replace(authority, policy="one.two")


def forged(
    identity: SiteIdentity, *, info: TimeInfo | None = None, named: SiteIdentity | None = None, version: int = 3
):
    """A token by anybody, over anything."""
    told = info or TimeInfo(policy="1.2.3", digest=DIGEST, serial=1, at=AT, accuracy=None, nonce=None)
    content = encode_info(told, identity.certificate)
    attributes = {asn1.SIGNING_TIME: signing_time(AT)}
    if named is not None:
        attributes[asn1.SIGNING_CERTIFICATE] = certificate_name(named.certificate)
    signer = signer_info(identity, asn1.TST_INFO, sm3(content), attributes)
    return encode_signed(asn1.PKCS7_SIGNED, asn1.TST_INFO, content, [identity.chain], [signer], version=version)


def test_a_token_by_a_document_signer_is_refused(identity, authority: Authority) -> None:
    with pytest.raises(WrongUsage):
        read_token(forged(identity, named=identity), DIGEST, [identity.anchor])
    own = authority.identity
    assert read_token(forged(own, named=own), DIGEST, [own.anchor]).trusted


def test_a_token_must_name_its_certificate_and_nothing_else_may_vary(identity, authority: Authority) -> None:
    own = authority.identity
    for token in (forged(own), forged(own, named=identity), forged(own, named=own, version=1)):
        with pytest.raises(VerificationFailed, match="malformed"):
            read_token(token, DIGEST, [own.anchor])
    late = TimeInfo(policy="1.2.3", digest=DIGEST, serial=1, at=AT + timedelta(days=4000), accuracy=None, nonce=None)
    with pytest.raises(CertificateExpired):
        read_token(forged(own, named=own, info=late), DIGEST, [own.anchor])


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
def test_every_changed_byte_of_a_token_is_found(authority: Authority, step: int) -> None:
    _, token = grant(authority, make_request(DIGEST))
    for at in range(0, len(token), step):
        changed = bytearray(token)
        changed[at] ^= 1 << at % 8
        with pytest.raises(VerificationFailed):
            read_token(bytes(changed), DIGEST, [authority.identity.anchor])


@pytest.mark.parametrize("data", [*MALFORMED, rejected(25, "\x1b[31mno\n"), bytes(2 << 20)])
def test_responses_without_a_token_are_refused_and_their_text_is_harmless(data: bytes) -> None:
    with pytest.raises(TimestampRefused) as refused:
        parse_response(data)
    assert "\x1b" not in str(refused.value)


INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
INFOS = st.builds(
    TimeInfo,
    policy=st.sampled_from(["1.2.3", "2.25.147690549121082799521462093775040838161"]),
    digest=st.binary(min_size=32, max_size=32),
    serial=st.integers(1, (1 << 160) - 1),
    at=INSTANTS,
    accuracy=st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=1)),
    nonce=st.none() | st.integers(0, 1 << 64),
)


@given(info=INFOS)
def test_what_is_written_is_read(authority: Authority, info: TimeInfo) -> None:
    assert parse_info(encode_info(info, authority.identity.certificate)) == info


@given(digest=st.binary(min_size=32, max_size=32), nonce=st.none() | st.integers(0, 1 << 64), whole=st.booleans())
def test_a_request_is_read_as_written(digest: bytes, nonce: int | None, *, whole: bool) -> None:
    request = Request(digest=digest, nonce=nonce, with_certificate=whole, policy="1.2.3")
    assert parse_request(request.encode()) == request


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_typed_error(data: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_request(data)
    with pytest.raises(VerificationFailed):
        parse_response(data)
    with pytest.raises(VerificationFailed):
        read_token(data, DIGEST, [])


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    file = tmp_path / "tsa" / "serial.json"
    first = Serials(file, block=3)
    taken = [first.take() for _ in range(10)]
    taken += [Serials(file, block=3).take() for _ in range(3)]
    assert len(set(taken)) == len(taken)
    assert taken == sorted(taken)


def test_a_file_from_an_old_backup_gives_no_old_number(tmp_path: Path) -> None:
    file = tmp_path / "tsa" / "serial.json"
    clock = [AT]
    numbers = Serials(file, block=1, clock=lambda: clock[0])
    old = file.read_bytes() if file.exists() else b'{"next": 1}'
    given_out = [numbers.take() for _ in range(5)]
    file.write_bytes(old)
    clock[0] += timedelta(seconds=1)
    assert Serials(file, block=1, clock=lambda: clock[0]).take() > max(given_out)


def _take_until_killed(file: Path, out: Path) -> None:
    numbers = Serials(file, block=2)
    with out.open("a") as log:
        while True:
            log.write(f"{numbers.take()}\n")
            log.flush()


def test_a_killed_process_repeats_no_number(tmp_path: Path) -> None:
    file, out = tmp_path / "tsa" / "serial.json", tmp_path / "taken"
    fork = multiprocessing.get_context("fork")
    for _ in range(3):
        workers = [fork.Process(target=_take_until_killed, args=(file, out)) for _ in range(2)]
        for worker in workers:
            worker.start()
        before = out.stat().st_size if out.exists() else 0
        while not out.exists() or out.stat().st_size < before + 400:
            workers[0].join(0.01)
        for worker in workers:
            os.kill(worker.pid or 0, signal.SIGKILL)
            worker.join()
    taken = [line for line in out.read_text().splitlines() if len(line) >= 16]
    assert len(taken) > 60
    assert len(set(taken)) == len(taken)


def test_an_identity_with_a_source_signs_with_a_token(identity, stamped: Callable[..., SiteIdentity]) -> None:
    assert identity.stamp is None
    assert "stamp" not in repr(stamped(AT))


@pytest.mark.parametrize("null", [False, True])
def test_the_answer_repeats_the_imprint_as_it_was_asked_for(authority: Authority, null: bool) -> None:
    """RFC 3161 §2.4.2: the same value, parameters absent or NULL as in the request."""
    request = replace(make_request(DIGEST), null_parameters=null)
    asked = peer.TimeStampReq.load(request.encode())["message_imprint"].dump()
    assert parse_request(request.encode()) == request
    token = parse_response(authority.answer(request.encode()))
    assert asked in token
    assert (b"\x05\x00" in asked) is null
    verify_response(authority.answer(request.encode()), request, [authority.identity.anchor])
    with pytest.raises(TimestampRefused, match="as it was asked for"):
        verify_response(
            authority.answer(replace(request, null_parameters=not null).encode()), request, [authority.identity.anchor]
        )
