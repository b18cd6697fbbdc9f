"""Time stamps with the system's openssl: it asks, we answer, it reads the token."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from crypto.timestamp import Authority, TimestampRefused, parse_request, parse_response, verify_response
from tests.conftest import RequirePeer


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def ask(require_peer: RequirePeer, tmp_path: Path):
    """A question by `openssl ts -query`, and the command itself."""
    openssl = require_peer("OpenSSL", "openssl", "apt-get install openssl")
    (tmp_path / "data").write_bytes(b"data")

    def query(*more: str) -> tuple[bytes, str]:
        run(openssl, "ts", "-query", "-sm3", "-cert", "-data", "data", *more, "-out", "q.tsq", cwd=tmp_path)
        return (tmp_path / "q.tsq").read_bytes(), openssl

    return query


@pytest.mark.peer
@pytest.mark.parametrize("more", [(), ("-no_nonce",)], ids=["nonce", "no nonce"])
def test_openssl_s_question_is_answered_and_it_reads_our_token(
    ask, authority: Authority, tmp_path: Path, more: tuple[str, ...]
) -> None:
    question, openssl = ask(*more)
    request, response = parse_request(question), authority.answer(question)
    token, found = verify_response(response, request, [authority.identity.anchor])
    (tmp_path / "r.tsr").write_bytes(response)
    (tmp_path / "r.tok").write_bytes(token)
    text = run(openssl, "ts", "-reply", "-in", "r.tsr", "-text", cwd=tmp_path)
    alone = run(openssl, "ts", "-reply", "-in", "r.tok", "-token_in", "-text", cwd=tmp_path)

    assert "Status: Granted." in text
    for one in (text, alone):
        assert f"Serial number: 0x{found.info.serial:X}" in one.replace("0x0", "0x")
        assert "Hash Algorithm: sm3" in one
        assert "Time stamp: Nov 22 03:00:00 2026 GMT" in one
        assert "Ordering: no" in one
        assert ("Nonce: unspecified" in one) == (request.nonce is None)


@pytest.mark.peer
def test_a_policy_that_openssl_asks_for_and_we_lack_is_refused(ask, authority: Authority) -> None:
    question, _ = ask("-tspolicy", "1.2.3")
    with pytest.raises(TimestampRefused, match="unacceptedPolicy"):
        parse_response(authority.answer(question))
