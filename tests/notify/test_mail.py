"""Mail to a real server: Debian's exim, with STARTTLS, implicit TLS and a login; and to servers that misbehave."""

from __future__ import annotations

import contextlib
import email
import email.policy
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from notify.channels.mail import Mail
from notify.notice import Delivered, Failed, Person, Retry
from records.secret import Secret
from tests.notify.story import NOON, a_message, a_notice, raw
from tests.running import free_port, missing_peer, wait_until

CONFIG = """
primary_hostname = mail.example
daemon_smtp_ports = {plain} : {implicit}
tls_on_connect_ports = {implicit}
local_interfaces = 127.0.0.1
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
exim_user = {user}
exim_group = {group}
never_users =
trusted_users = {user}
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
message_size_limit = 1M
keep_environment =
queue_run_in_order
begin acl
rcpt:
  deny message = no such user
    local_parts = nobody
  defer message = come back later
    local_parts = greylisted
  accept authenticated = *
  deny message = authenticate first
data:
  accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {folder}/mail/box
  user = {user}
  group = {group}
  create_file = anywhere
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{yw}}}}{{eq{{$auth3}}{{秘密}}}}}}}}
  server_set_id = $auth2
"""
USER = "Debian-exim"


@dataclass(frozen=True)
class Exim:
    folder: Path
    plain: int
    implicit: int

    def letters(self) -> list[EmailMessage]:
        box = self.folder / "mail" / "box"
        text = box.read_bytes() if box.exists() else b""
        parts = [part for part in (b"\n" + text).split(b"\nFrom ")[1:] if part]
        return [email.message_from_bytes(part.partition(b"\n")[2], policy=email.policy.default) for part in parts]

    def channel(self, **changed: object) -> Mail:
        values = {
            "host": "localhost", "port": self.plain, "security": "starttls", "sender": "yunwang@hlj.example",
            "recipients": ("ops@hlj.example",), "username": "yw", "password": Secret("秘密"),
            "ca": str(self.folder / "cert.pem"), "seconds": 10.0, "clock": lambda: NOON,
        }  # fmt: skip
        return Mail(**values | changed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def exim(require_peer) -> Iterator[Exim]:
    program = require_peer("exim", "exim4", "apt-get install exim4-daemon-light")
    if os.geteuid() != 0:
        missing_peer("exim changes to its own user, which only root may: run the tests as root")
    folder = Path("/tmp") / f"yw-exim-{os.getpid()}"  # exim's own user must reach it
    one = Exim(folder, free_port(), free_port())
    user = pwd.getpwnam(USER)
    for name in ("spool", "log", "mail"):
        (folder / name).mkdir(parents=True)
    _certify(folder)
    group = "Debian-exim"
    config = folder / "exim.conf"
    config.write_text(CONFIG.format(folder=folder, plain=one.plain, implicit=one.implicit, user=USER, group=group))
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    os.chown(config, 0, 0)
    process = subprocess.Popen([program, "-C", config, "-bdf", "-q30m"], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: _answers(one.plain) and _answers(one.implicit), 15, "exim listens")
        yield one
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        shutil.rmtree(folder)


def _certify(folder: Path) -> None:
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2"]
    subprocess.run([*command, *names], check=True, capture_output=True)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.mark.peer
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_chinese_arrives_whole(exim: Exim, security: str) -> None:
    before = len(exim.letters())
    port = exim.implicit if security == "tls" else exim.plain
    people = (Person(name="王", mail="wang@hlj.example"), Person(name="李"))
    notice = a_notice(title=f"链路 “哈尔滨” 中断 {security}", body=("单位：省财政厅", "生僻字：𠮷"))

    receipt = exim.channel(security=security, port=port).send(a_message(notice, id=f"id-{security}", to=people))

    assert receipt == Delivered()
    wait_until(lambda: len(exim.letters()) == before + 2, 10, "a copy for each of two")
    letter = exim.letters()[-1]
    assert letter["Subject"] == f"[高] 链路 “哈尔滨” 中断 {security}"
    assert (letter["From"], letter["To"]) == ("yunwang@hlj.example", "ops@hlj.example, wang@hlj.example")
    assert (letter["Message-ID"], letter["Auto-Submitted"]) == (f"<id-{security}@hlj.example>", "auto-generated")
    assert letter.get_content().splitlines()[2:] == [
        "时间：2026-11-23 12:00:00", "单位：省财政厅", "生僻字：𠮷", "值班：王、李"
    ]  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize(
    ("changed", "outcome", "said"),
    [
        pytest.param({"password": Secret("falsch")}, Failed, "535", id="wrong password"),
        pytest.param({"password": Secret("wrong")}, Failed, "535", id="wrong password in ASCII"),
        pytest.param({"password": None}, Failed, "ops@hlj.example", id="no login"),
        pytest.param({"recipients": ("nobody@x.example",)}, Failed, "nobody@x.example", id="no such user"),
        pytest.param({"recipients": ("greylisted@x.example",)}, Retry, "greylisted@x.example", id="greylisted"),
        pytest.param({"ca": ""}, Failed, "certificate", id="unknown authority"),
        pytest.param({"host": "127.0.0.1"}, Failed, "certificate", id="another name"),
        pytest.param({"security": "tls"}, Retry, "connect", id="TLS to a plain port"),
    ],
)
def test_what_exim_refuses(exim: Exim, changed: dict[str, object], outcome: type, said: str) -> None:
    receipt = exim.channel(**changed).send(a_message())
    assert type(receipt) is outcome, receipt
    assert said in f"{receipt.why.template} {receipt.why.values}"


@pytest.mark.peer
def test_one_bad_recipient_does_not_keep_the_others_from_it(exim: Exim) -> None:
    before = len(exim.letters())
    receipt = exim.channel(recipients=("ops@hlj.example", "nobody@x.example")).send(a_message(id="partly"))
    assert isinstance(receipt, Delivered)
    assert receipt.note is not None
    assert receipt.note.values == {"names": "nobody@x.example"}
    wait_until(lambda: len(exim.letters()) == before + 1, 10, "the letter in the box")


@pytest.mark.peer
def test_a_title_cannot_add_headers(exim: Exim) -> None:
    before = len(exim.letters())
    evil = a_notice(title="x\r\nBcc: all@hlj.example\r\n\r\n<script>", body=("a\r\n.\r\nQUIT",))
    assert exim.channel().send(a_message(evil, id="evil")) == Delivered()
    wait_until(lambda: len(exim.letters()) == before + 1, 10, "the letter in the box")
    letter = exim.letters()[-1]
    assert (letter["Bcc"], letter["Subject"]) == (None, "[高] x  Bcc: all@hlj.example    <script>")
    assert "a  .  QUIT" in letter.get_content()


BARE = Mail(
    host="127.0.0.1", port=1, security="none", sender="a@b.example", recipients=("c@d.example",), username="",
    password=None, ca="", seconds=1.0, clock=lambda: NOON,
)  # fmt: skip


def test_nobody_to_write_to_is_told() -> None:
    assert isinstance(replace(BARE, recipients=()).send(a_message()), Failed)


def test_nobody_there_is_tried_again() -> None:
    receipt = replace(BARE, port=free_port()).send(a_message())
    assert isinstance(receipt, Retry)
    assert not receipt.reached


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [(b"220-hello\r\n" * 3, Retry), (b"", Retry), (b"554 go away\r\n", Failed), (b"421 busy\r\n", Retry), (b"\xff" * 9000, Failed)],
)  # fmt: skip
def test_a_server_that_misbehaves(greeting: bytes, outcome: type) -> None:
    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(greeting)
            while True:  # a line every now and then: each read gets something, the whole never ends
                time.sleep(0.1)
                connection.sendall(b"220-wait\r\n" if greeting.startswith(b"220") else b"")

    with raw(answer) as port:
        started = time.monotonic()
        receipt = replace(BARE, port=port).send(a_message())
        assert time.monotonic() - started < 3
    assert type(receipt) is outcome, receipt


def test_starttls_that_is_not_offered_sends_nothing() -> None:
    said: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(b"220 x\r\n")
            while data := connection.recv(1000):
                said.append(data)
                connection.sendall(b"250 x\r\n")

    with raw(answer) as port:
        receipt = replace(BARE, port=port, security="starttls", password=Secret("p"), username="u").send(a_message())
    assert isinstance(receipt, Retry)
    assert all(data.startswith(b"ehlo") for data in said)
