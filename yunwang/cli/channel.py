"""``yw channel``: files over TLS 1.3 with SM2, SM3, SM4 (RFC 8998), a probe, a measurement (CONTRACT §8)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.errors import UsageError
from yunwang.cli.output import emit, note
from yunwang.sockets import split_address

if TYPE_CHECKING:
    from crypto.channel import ChannelConfig, Refusal
    from crypto.channel.files.receive import Received
    from crypto.channel.files.send import Sent
    from crypto.channel.probe import Report

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

Certificate = Annotated[Path, typer.Option("--cert", help="our certificate and the CAs between it and the root, PEM")]
Key = Annotated[Path, typer.Option("--key", help="our private key, PEM")]
Anchor = Annotated[Path | None, typer.Option("--ca", help="the CA of the peers, PEM; else YW_CA or the data folder's")]
Lists = Annotated[list[Path] | None, typer.Option("--crl", help="revocation list, PEM or DER; one of each CA")]
Passphrase = Annotated[Path | None, typer.Option("--passphrase-file", help="file whose text opens the key")]
Name = Annotated[str | None, typer.Option("--name", help="name in the server's certificate; the host of --to")]


@app.callback()
def configured() -> None:
    """Files over TLS 1.3 with SM2, SM3, SM4."""
    from yunwang.cli.call import current  # noqa: PLC0415 - not for --help
    from yunwang.wiring import order_providers, settings_of  # noqa: PLC0415

    order_providers(settings_of(current(), current().place(tell=False)))


def _config(
    certificate: Path,
    key: Path,
    ca: Path | None,
    lists: list[Path] | None,
    passphrase: Path | None,
    peers: list[str] | None = None,
) -> ChannelConfig:
    from crypto.channel import ChannelConfig  # noqa: PLC0415 - pyOpenSSL's weight
    from yunwang.cli.anchors import find_anchors, read_certificates  # noqa: PLC0415
    from yunwang.cli.key_files import private_key  # noqa: PLC0415
    from yunwang.cli.revocations import read_lists  # noqa: PLC0415

    anchors = find_anchors(ca)
    if not anchors:
        raise UsageError("no CA to trust the peer by", "pass --ca FILE", where="--ca")
    return ChannelConfig(
        key=private_key(key, passphrase),
        chain=read_certificates(certificate),
        anchors=anchors,
        crls=read_lists(lists or ()),
        peers=frozenset(peers or ()),
    )


@app.command()
def serve(
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT; port 0 takes a free one")],
    cert: Certificate,
    key: Key,
    ca: Anchor = None,
    crl: Lists = None,
    out: Annotated[Path, typer.Option("--out", help="folder for what is received; made if missing")] = Path("received"),
    peer: Annotated[
        list[str] | None,
        typer.Option("--peer", help="admit only clients that bear this name (DNS or IP)"),
    ] = None,
    passphrase_file: Passphrase = None,
) -> None:
    """Receive files until SIGINT or SIGTERM; one JSON line for each."""
    import asyncio  # noqa: PLC0415 - beside its only use

    host, port = split_address(listen, "--listen")
    asyncio.run(_serve(_config(cert, key, ca, crl, passphrase_file, peer), host, port, out))


async def _serve(config: ChannelConfig, host: str, port: int, out: Path) -> None:
    import asyncio  # noqa: PLC0415 - as above
    import signal  # noqa: PLC0415

    from crypto.channel import Channel  # noqa: PLC0415
    from crypto.channel import serve as listen_on  # noqa: PLC0415
    from crypto.channel.files.inbox import Inbox  # noqa: PLC0415
    from crypto.channel.files.receive import receive_files  # noqa: PLC0415

    ended, inbox = asyncio.Event(), Inbox(out)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)

    async def handler(channel: Channel) -> None:
        await receive_files(channel, inbox, _tell_received)

    async with await listen_on(config, handler, host, port, told=_tell_refusal) as server:
        for found in server.addresses:
            note("listening on {host}:{port}", host=found[0], port=found[1])
        await ended.wait()


def _tell_received(one: Received) -> None:
    import json  # noqa: PLC0415 - beside its only use
    import sys  # noqa: PLC0415

    row = {"peer": one.peer, **asdict(one.offer), "state": one.state, "reason": one.reason}
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _tell_refusal(one: Refusal) -> None:
    from yunwang.language import translate  # noqa: PLC0415 - only where something is said

    note("channel with {address} ended: {why}", address=one.address, why=one.error.problems[0].text(translate))


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(help="what is sent; each under its own name", metavar="FILE...")],
    to: Annotated[str, typer.Option("--to", help="HOST:PORT of `yw channel serve`")],
    cert: Certificate,
    key: Key,
    ca: Anchor = None,
    crl: Lists = None,
    name: Name = None,
    passphrase_file: Passphrase = None,
) -> None:
    """Send files; each is told once the receiver has it on disk. What broke off goes on where it stopped."""
    import asyncio  # noqa: PLC0415 - beside its only use

    host, port = split_address(to, "--to")
    config = _config(cert, key, ca, crl, passphrase_file)
    rows = asyncio.run(_send(config, host, port, name, files))
    emit([_sent_row(one) for one in rows], columns=("file", "state", "size", "sm3", "bytes_sent", "connections"))


async def _send(config: ChannelConfig, host: str, port: int, name: str | None, files: list[Path]) -> list[Sent]:
    from crypto.channel import Client  # noqa: PLC0415 - pyOpenSSL's weight
    from crypto.channel.files.send import send_files  # noqa: PLC0415

    client = Client(config)
    return [one async for one in send_files(lambda: client.connect(host, port, name=name), files)]


def _sent_row(one: Sent) -> dict[str, Any]:
    return {
        "file": str(one.path),
        "state": one.state,
        "size": one.offer.size,
        "sm3": one.offer.sm3,
        "bytes_sent": one.bytes_sent,
        "connections": one.connections,
    }


@app.command("probe")
def probe_(
    address: Annotated[str, typer.Argument(help="HOST:PORT of any TLS server", metavar="ADDRESS")],
    cert: Annotated[Path | None, typer.Option("--cert", help="show this certificate; none if not given")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="its private key, PEM")] = None,
    ca: Anchor = None,
    name: Name = None,
    passphrase_file: Passphrase = None,
) -> None:
    """Tell which protocols and certificates a TLS server offers and what is wrong with them; exit 1 on findings."""
    from crypto.channel.probe import probe  # noqa: PLC0415 - pyOpenSSL's weight
    from yunwang.cli.anchors import find_anchors  # noqa: PLC0415

    host, port = split_address(address, "ADDRESS")
    if (cert is None) != (key is None):
        raise UsageError("--cert and --key belong together", "give both or none", where="--cert")
    config = _config(cert, key, ca, None, passphrase_file) if cert and key else None
    report = probe(host, port, config=config, anchors=find_anchors(ca), name=name)
    emit(_report(report), rows=lambda found: found["findings"] or found["protocols"])
    if report.findings:
        raise typer.Exit(1)


def _report(report: Report) -> dict[str, Any]:
    from yunwang.language import translate  # noqa: PLC0415 - only where something is said

    return {
        "protocols": [{"protocol": one.protocol, "suite": one.suite, "group": one.group} for one in report.offered],
        "certificates": list(report.certificates),
        "findings": [one.as_json(translate) for one in report.findings],
    }


@app.command()
def bench(
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="turns of each")] = 5,
) -> None:
    """Measure handshakes and MB per CPU second beside bare pyOpenSSL, on loopback, with keys made for it."""
    from crypto.channel.measure import compare  # noqa: PLC0415 - pyOpenSSL's weight

    emit([asdict(one) for one in compare(rounds=rounds)], columns=("what", "channel", "bare", "ratio"))
