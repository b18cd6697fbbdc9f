"""Syslog to a real rsyslog over UDP and TCP, and over TLS."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from notify.channels.syslog import LONGEST_DATAGRAM, Syslog, frame
from notify.notice import Delivered, Failed, Retry
from records.alarms import Level
from tests.notify.story import a_message, a_notice, raw
from tests.running import free_port, wait_until

RSYSLOG = """module(load="imudp") module(load="imtcp")
global(workDirectory="{folder}" parser.permitSlashInProgramName="on" parser.escapeControlCharactersOnReceive="off")
template(name="all" type="string" string="%pri% %app-name% %msgid% %structured-data% %msg%\\n")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imtcp" address="127.0.0.1" port="{tcp}")
*.* action(type="omfile" file="{folder}/got" template="all")
"""


@pytest.mark.peer
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_rsyslog_reads_it(tmp_path: Path, require_peer, protocol: str) -> None:
    program = require_peer("rsyslog", "rsyslogd", "apt-get install rsyslog")
    ports = {"tcp": free_port(), "udp": free_port(socket.SOCK_DGRAM)}
    config = tmp_path / "rsyslog.conf"
    config.write_text(RSYSLOG.format(folder=tmp_path, **ports))
    process = subprocess.Popen(
        [program, "-n", "-f", str(config), "-i", str(tmp_path / "pid")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _listens(ports["tcp"]), 10, "rsyslog listens")
        evil = a_notice(2, title='换\n行 "]\\', level=Level.CRITICAL, organisation='f"]\\')
        channel = Syslog(protocol=protocol, host="127.0.0.1", port=ports[protocol], ca="", seconds=5)
        assert channel.send(a_message(a_notice(), evil)) == Delivered()
        got = tmp_path / "got"
        wait_until(lambda: got.exists() and len(got.read_text("utf-8").splitlines()) >= 2, 10, "two lines")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)

    first, second = (line for line in got.read_text("utf-8").splitlines() if "yunwang@32473" in line)
    held = 'id="{}" level="{}" org="{}" alert="{}" message="m1" repeated="false"'
    assert first.replace("\ufeff", "") == f"131 yunwang alert [yunwang@32473 {held.format('n1', 'high', 'fin', 'a1')}] 链路中断 | 链路：hlj-hrb-1"  # fmt: skip
    assert second.startswith("130 yunwang alert [yunwang@32473 " + held.format("n2", "critical", 'f\\"\\]\\\\', "a2"))
    assert second.replace("\ufeff", "").endswith('换 行 "]\\ | 链路：hlj-hrb-1')


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.mark.parametrize(("trusted", "outcome"), [(True, Delivered), (False, Failed)])
def test_tls_counts_octets_and_checks_the_certificate(
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    trusted: bool,
    outcome: type,
) -> None:
    key, cert = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    got, done = bytearray(), threading.Event()

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
            while data := stream.recv(65_536):
                got.extend(data)
        done.set()

    ask = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: ask("127.0.0.1", *rest, **more))
    with raw(answer) as port:
        ca = str(cert) if trusted else ""
        receipt = Syslog(protocol="tls", host="hook.example", port=port, ca=ca, seconds=5).send(a_message())
        assert done.wait(5)
    assert type(receipt) is outcome
    length, _, rest = bytes(got).partition(b" ")
    assert (int(length), rest[:6]) == (len(rest), b"<131>1") if trusted else bytes(got) == b""


def test_nobody_there_is_tried_again() -> None:
    receipt = Syslog(protocol="tcp", host="127.0.0.1", port=free_port(), ca="", seconds=2).send(a_message())
    assert isinstance(receipt, Retry)
    assert not receipt.reached


def test_a_datagram_is_cut_at_a_character() -> None:
    one = a_notice(body=("长" * 499,) * 20)
    data = frame(one, a_message(one), LONGEST_DATAGRAM)
    assert LONGEST_DATAGRAM - 3 <= len(data) <= LONGEST_DATAGRAM
    assert data.decode().endswith("…")
