"""RFC 8998 with foreign ends on loopback: a line goes over and comes back; who trusts another root is turned away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crypto.keys import keyfile
from crypto.x509 import certificates_pem
from tests.crypto.interop.cells import Way, meets
from tests.crypto.interop.our_end import LINE
from tests.peers.base import Ends, Peer, RefusedError, ended, line_with, talk
from tests.running import ROOT


def ends(identity: Any, anchor: Any = None) -> Ends:
    return Ends(identity.key, certificates_pem(identity.chain[:-1]), certificates_pem([anchor or identity.chain[-1]]))


def our_end(peer: Peer, role: str, own: Ends, *more: str) -> subprocess.Popen[bytes]:
    parts = {"key": keyfile.private_key_pem(own.key, None), "chain": own.chain, "ca": own.anchor}
    files = [peer.file(data, f".our.{name}") for name, data in parts.items()]
    script = str(Path(__file__).with_name("our_end.py"))
    return subprocess.Popen(
        [sys.executable, script, role, *files, *more],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | peer.asks_of_us(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@meets("RFC 8998 channel", Way.THEY_READ, "call")
def test_their_client_talks_to_our_server(peer, pki) -> None:
    with ended(our_end(peer, "server", ends(pki.server))) as ours:
        port = int(line_with(ours, b"listening ").split()[1])
        told = peer.call(ends(pki.client), port, LINE)
        heard = line_with(ours, b"heard ").removeprefix(b"heard ").strip()
    assert heard.startswith(b"hello")
    assert heard in told


@meets("RFC 8998 channel", Way.THEY_READ, "call")
def test_a_side_that_trusts_another_root_refuses(peer, pki) -> None:
    with ended(our_end(peer, "server", ends(pki.server))) as ours:
        port = int(line_with(ours, b"listening ").split()[1])
        with pytest.raises(RefusedError):
            peer.call(ends(pki.client, pki.stranger), port, LINE)
    with ended(our_end(peer, "server", ends(pki.server, pki.stranger))) as ours:
        port = int(line_with(ours, b"listening ").split()[1])
        with pytest.raises(RefusedError):
            peer.call(ends(pki.client), port, LINE)
        assert b"refused" in line_with(ours, b"refused")


@meets("RFC 8998 channel", Way.WE_READ, "listen")
def test_our_client_talks_to_their_server(peer, pki) -> None:
    with peer.listen(ends(pki.server)) as port:
        answer = talk(our_end(peer, "client", ends(pki.client), str(port)), b"").removeprefix(b"answer ").strip()
    assert answer in {LINE.strip(), LINE.strip()[::-1]}


@meets("RFC 8998 channel", Way.WE_READ, "listen")
def test_either_side_refuses_under_another_root(peer, pki) -> None:
    for server, client in (
        (ends(pki.server, pki.stranger), ends(pki.client)),
        (ends(pki.server), ends(pki.client, pki.stranger)),
    ):
        with peer.listen(server) as port, pytest.raises(RefusedError, match="refused"):
            talk(our_end(peer, "client", client, str(port)), b"")
