"""``yw crypto tsa``: serve, ask for and verify time stamps (RFC 3161 with SM3 and SM2)."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from crypto.cms.token import Timestamp, read_token
from crypto.errors import CryptoError, VerificationFailed
from crypto.sm3 import sm3_file
from crypto.timestamp.request import make_request, parse_request
from crypto.timestamp.response import parse_response, verify_response
from records.errors import UserError
from yunwang.cli.anchors import find_anchors
from yunwang.cli.files import naming, read_file, unreadable, write_file
from yunwang.cli.output import emit, show_error

if TYPE_CHECKING:
    import socket

    from crypto.timestamp import Authority

tsa = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

CA = typer.Option(None, "--ca", help="the CA that you trust, PEM; else YW_CA or the data folder's")
LISTEN = "127.0.0.1:3180"


@tsa.command("serve")
def tsa_serve(
    listen: str = typer.Option(LISTEN, "--listen", help="HOST:PORT; port 0 takes a free one"),
    key: str = typer.Option("site", "--key", help="private key, PEM, or `site` for the data folder's own authority"),
    cert_file: Path | None = typer.Option(None, "--cert", help="its certificate, for time stamping alone, and the CA"),
    serials: Path | None = typer.Option(None, "--serials", help="file of the next serial number, beside --key"),
    policy: str = typer.Option("", "--policy", help="OID of the policy that tokens name"),
    passphrase_file: Path | None = typer.Option(None, "--passphrase-file", help="file whose text opens the key"),
) -> None:
    """Answer time-stamp requests over HTTP until SIGINT or SIGTERM."""
    from yunwang.sockets import listen as bound  # noqa: PLC0415 - only for serving

    authority = _authority(key, cert_file, serials, policy, passphrase_file)
    opened = bound("tcp", listen, "--listen")
    emit({"url": _url(opened), "authority": authority.identity.certificate.subject_text, "policy": authority.policy})
    sys.stdout.flush()
    asyncio.run(_serve(authority, opened))


def _authority(
    key: str, certificate: Path | None, serials: Path | None, policy: str, passphrase_file: Path | None
) -> Authority:
    from dataclasses import replace  # noqa: PLC0415 - only for serving

    from crypto.timestamp import Authority, Serials  # noqa: PLC0415
    from yunwang.cli.crypto_cms import signing_identity  # noqa: PLC0415
    from yunwang.wiring import open_site  # noqa: PLC0415

    if key == "site":
        found = open_site().authority
    else:
        file = serials or Path(key).absolute().with_name("tsa") / "serial.json"
        found = Authority(identity=signing_identity(key, certificate, passphrase_file), serials=Serials(file))
    return replace(found, policy=policy) if policy else found


def _url(opened: socket.socket) -> str:
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def _serve(authority: Authority, opened: socket.socket) -> None:
    from crypto.timestamp.server import TimestampServer  # noqa: PLC0415 - only for serving

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with await TimestampServer(authority.answer).start(opened):
        await ended.wait()


@tsa.command("query")
def tsa_query(
    file: Path,
    out: Path = typer.Option(..., "--out", help="where the response goes; without --url, the request"),
    url: str = typer.Option("", "--url", help="the authority to ask; left out, only the request is written"),
    policy: str = typer.Option("", "--policy", help="OID of the policy that is asked for"),
    ca: Path | None = CA,
) -> None:
    """Ask for a time stamp of a file, and verify the answer; or write the request alone."""
    from crypto.timestamp.client import ask  # noqa: PLC0415 - http only here

    request = make_request(_digest(file), policy=policy or None)
    if not url:
        write_file(out, request.encode())
        emit({"request": str(out), "nonce": str(request.nonce)})
        return
    response, anchors = ask(url, request.encode()), find_anchors(ca)
    found = verify_response(response, request, anchors)[1]
    write_file(out, response)
    _tell(found, file, known=bool(anchors), response=str(out))


@tsa.command("verify")
def tsa_verify(
    file: Path,
    token: Path = typer.Option(..., "--token", help="the response, or the token alone, DER"),
    request: Path | None = typer.Option(None, "--request", help="the request that it must answer"),
    ca: Path | None = CA,
) -> None:
    """Verify a time stamp of a file; exit 0 only if it holds and its authority is trusted."""
    answer, digest, anchors = read_file(token), _digest(file), find_anchors(ca)
    asked = None if request is None else read_file(request)
    try:
        with naming(token):
            found = _verified(answer, asked, digest, anchors)
    except VerificationFailed as error:
        emit({"valid": False, "trusted": False, "at": None, "authority": None})
        show_error(error)
        raise typer.Exit(1) from None
    _tell(found, token, known=bool(anchors))


def _verified(answer: bytes, asked: bytes | None, digest: bytes, anchors: Any) -> Timestamp:
    if asked is None:
        return read_token(_token(answer), digest, anchors)
    request = parse_request(asked)
    if request.digest != digest:
        raise CryptoError("the request is for another file", "give the request that was made for this file")
    return verify_response(answer, request, anchors)[1]


def _token(answer: bytes) -> bytes:
    """The token in a response; bytes that are no response may be the token itself."""
    try:
        return parse_response(answer)
    except VerificationFailed:
        return answer


def _digest(file: Path) -> bytes:
    try:
        return sm3_file(file)
    except OSError as error:
        raise unreadable(file, error) from error


def _tell(found: Timestamp, where: Path, *, known: bool, **more: str) -> None:
    info = found.info
    row = {"valid": True, "trusted": found.trusted, "at": info.at, "authority": found.authority}
    seconds = None if info.accuracy is None else info.accuracy.total_seconds()
    emit({**row, "serial": str(info.serial), "policy": info.policy, "accuracy_seconds": seconds, **more})
    if found.trusted:
        return
    show_error(_untrusted(found, where) if known else _no_anchor(where))
    raise typer.Exit(1)


def _no_anchor(where: Path) -> UserError:
    return UserError("the time stamp holds, but there is no CA to trust it by", "pass --ca FILE", where=str(where))


def _untrusted(found: Timestamp, where: Path) -> UserError:
    return UserError(
        "the time stamp holds, but {authority} stands under {root}, which is not trusted here",
        "pass --ca FILE with the authority's CA, if you trust it",
        where=str(where),
        authority=found.authority,
        root=found.path[-1].subject_text,
    )
