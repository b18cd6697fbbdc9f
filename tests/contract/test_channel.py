"""CONTRACT §8: ``yw channel serve | send | probe | bench``, by the CLI from the first key on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import MakePlatform
from tests.running import ROOT, Platform, free_port, wait_until


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_platform: MakePlatform) -> Platform:
    """A machine without a data folder, beside it a CA with a server and a client, as the docs have it."""
    one = make_platform(tmp_path_factory.mktemp("channel") / "none")
    at = path(one)
    one.json("crypto", "ca", "init", "--dir", at("ca"), "--subject", "CN=根,O=省数据局,C=CN")
    for who in ("server", "client"):
        key, request = at(f"{who}.key"), at(f"{who}.csr")
        one.json("crypto", "keygen", "--out", key)
        names = ("--name", "127.0.0.1", "--name", f"{who}.example.cn")
        one.json("crypto", "csr", "--key", key, "--subject", f"CN={who},O=省数据局,C=CN", *names, "--out", request)
        one.json("crypto", "ca", "issue", request, "--dir", at("ca"), "--profile", who, "--out", at(f"{who}.pem"))
    one.json("crypto", "ca", "crl", "--dir", at("ca"), "--out", at("ca.crl"))
    return one


def path(platform: Platform):
    return lambda name: str(platform.data.parent / name)


def identity(platform: Platform, who: str, *, crl: bool = True) -> list[str]:
    at = path(platform)
    found = ["--cert", at(f"{who}.pem"), "--key", at(f"{who}.key"), "--ca", at("ca/ca.pem")]
    return [*found, "--crl", at("ca.crl")] if crl else found


@pytest.fixture(scope="module")
def server(place: Platform) -> Iterator[tuple[int, Path]]:
    """(port, what it prints); ended by SIGTERM with exit 0."""
    port, log = free_port(), place.data.parent / "serve"
    command = [
        "channel",
        "serve",
        "--listen",
        f"127.0.0.1:{port}",
        "--out",
        path(place)("in"),
        "--peer",
        "client.example.cn",
    ]
    with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "yunwang", *command, *identity(place, "server")],
            cwd=ROOT,
            env=place.environment,
            stdout=out,
            stderr=err,
        )
        wait_until(lambda: "listening" in log.with_suffix(".err").read_text(), 60, "listening")
        yield port, log.with_suffix(".out")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_files_are_sent_once(place: Platform, server: tuple[int, Path]) -> None:
    port, told = server
    file = place.data.parent / "账单.csv"
    file.write_bytes(b"1,2,3\n" * 100_000)
    sent = ["channel", "send", "--to", f"127.0.0.1:{port}", *identity(place, "client"), str(file)]

    first, second = place.json(*sent), place.json(*sent)

    assert [(one["file"], one["state"], one["bytes_sent"]) for one in first] == [(str(file), "stored", 600_000)]
    assert [(one["state"], one["bytes_sent"]) for one in second] == [("already", 0)]
    assert set(first[0]) == {"file", "state", "size", "sm3", "bytes_sent", "connections"}
    assert (place.data.parent / "in" / "账单.csv").read_bytes() == file.read_bytes()
    rows = [json.loads(line) for line in told.read_text("utf-8").splitlines()]
    assert [(row["name"], row["state"], row["sm3"]) for row in rows] == [
        ("账单.csv", state, first[0]["sm3"]) for state in ("stored", "already")
    ]


def test_refusals_have_exit_codes_and_next_steps(place: Platform, server: tuple[int, Path]) -> None:
    to = ["channel", "send", "--to", f"127.0.0.1:{server[0]}"]
    file = str(place.data.parent / "abc")
    Path(file).write_text("abc")

    refused = place.run(*to, *identity(place, "server"), file)
    named = place.run(*to, *identity(place, "client"), "--name", "elsewhere.gov.cn", file)
    absent = place.run("channel", "send", "--to", f"127.0.0.1:{free_port()}", *identity(place, "client"), file)
    nothing = place.run(*to, *identity(place, "client"), file + ".none")

    assert [one.returncode for one in (refused, named, absent, nothing)] == [4, 1, 4, 3]
    assert all(one.stdout == "" and "\nnext: " in one.stderr for one in (refused, named, absent, nothing))


def test_probe(place: Platform, server: tuple[int, Path]) -> None:
    found = place.json("channel", "probe", f"127.0.0.1:{server[0]}", "--ca", path(place)("ca/ca.pem"))

    assert set(found) >= {"protocols", "certificates", "findings"}
    assert found["protocols"] == [{"protocol": "TLSv1.3", "suite": "TLS_SM4_GCM_SM3", "group": "curveSM2"}]
    assert found["certificates"][0]["subject"] == "CN=server,O=省数据局,C=CN"
    assert found["findings"] == []
    assert place.run("channel", "probe", f"127.0.0.1:{free_port()}").returncode == 4


def test_bench(place: Platform) -> None:
    rows = place.json("channel", "bench", "--rounds", "1")

    assert [row["what"] for row in rows] == ["handshakes", "MB"]
    assert all(row["channel"] > 0 and row["bare"] > 0 for row in rows)
