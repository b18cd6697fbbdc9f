"""Files over channels: exactly once, resumed, acknowledged when safe, never outside the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.channel import Channel, ChannelConfig, ChannelError, connect
from crypto.channel.files import inbox as inbox_module
from crypto.channel.files.frames import Kind, Offer, ProtocolBroken, is_plain_name, write_frame, write_words
from crypto.channel.files.inbox import PARTS, Inbox, Refused
from crypto.channel.files.receive import Received, receive_files
from crypto.channel.files.send import Sent, TransferRefused, send_files
from crypto.sm3 import sm3_hex
from records.errors import UserError
from tests.crypto.channel.meeting import LOOPBACK, limited, run, serving

Configure = Callable[..., ChannelConfig]


async def send_all(config: ChannelConfig, port: int, paths: list[Path]) -> list[Sent]:
    return [one async for one in send_files(lambda: connect(config, LOOPBACK, port), paths)]


def transfer(
    configure: Configure, out: Path, paths: list[Path], client: ChannelConfig | None = None
) -> tuple[list[Sent] | Exception, list[Received]]:
    """(receipts, or what went wrong; what the receiver tells)."""
    received: list[Received] = []
    inbox = Inbox(out)

    async def talk() -> list[Sent] | Exception:
        async with serving(configure(), lambda channel: receive_files(channel, inbox, received.append)) as (port, _):
            try:
                return await send_all(client or configure(), port, paths)
            except UserError as error:
                return error

    return run(talk()), received


def states(found: tuple[Any, list[Received]]) -> tuple[list[str], list[str]]:
    return [one.state for one in found[0]], [one.state for one in found[1]]


def visible(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def parts(folder: Path) -> list[str]:
    return [one.name for one in (folder / PARTS).iterdir()]


def test_files_arrive_once(tmp_path: Path, configure: Configure) -> None:
    contents = {"空.csv": b"", "小.json": b"{}", "大 file.bin": os.urandom(1_500_001)}
    paths = [tmp_path / name for name in contents]
    for path in paths:
        path.write_bytes(contents[path.name])

    first = transfer(configure, tmp_path / "out", paths)
    again = transfer(configure, tmp_path / "out", paths)

    assert states(first) == (["stored"] * 3, ["stored"] * 3)
    assert states(again) == (["already"] * 3, ["already"] * 3)
    assert [one.bytes_sent for one in again[0]] == [0, 0, 0]
    assert visible(tmp_path / "out") == contents
    assert parts(tmp_path / "out") == []
    assert first[1][0].peer == "CN=节点, O=省数据局, C=CN"


def test_another_file_of_the_name_is_never_overwritten(tmp_path: Path, configure: Configure) -> None:
    path, out = tmp_path / "bill.pdf", tmp_path / "out"
    path.write_bytes(b"new")
    out.mkdir()
    (out / "bill.pdf").write_bytes(b"old")

    error, received = transfer(configure, out, [path])

    assert isinstance(error, TransferRefused)
    assert "another file named bill.pdf" in str(error)
    assert [(one.state, one.reason) for one in received] == [("refused", "exists")]
    assert visible(out) == {"bill.pdf": b"old"}


@pytest.mark.parametrize("target", ["elsewhere", "missing", "."])
def test_a_link_of_the_name_is_not_followed(tmp_path: Path, configure: Configure, target: str) -> None:
    path, out = tmp_path / "bill.pdf", tmp_path / "out"
    path.write_bytes(b"new")
    (tmp_path / "elsewhere").write_bytes(b"new")
    out.mkdir()
    (out / "bill.pdf").symlink_to(tmp_path / target)

    assert isinstance(transfer(configure, out, [path])[0], TransferRefused)
    assert not (tmp_path / "missing").exists()


def test_a_transfer_that_broke_off_is_resumed(tmp_path: Path, configure: Configure) -> None:
    content = os.urandom(3_000_000)
    path, out = tmp_path / "log.gz", tmp_path / "out"
    path.write_bytes(content)
    inbox = Inbox(out)
    (out / PARTS / f"{sm3_hex(content)}.{len(content)}.part").write_bytes(content[:1_234_567])

    found = transfer(configure, out, [path])

    assert states(found) == (["stored"], ["stored"])
    assert found[0][0].bytes_sent == len(content) - 1_234_567
    assert visible(out) == {"log.gz": content}
    assert inbox.begin(Offer(name="log.gz", size=len(content), sm3=sm3_hex(content))) is None


@pytest.mark.parametrize("extra", [0, 5])
def test_a_wrong_beginning_is_found_and_dropped(tmp_path: Path, configure: Configure, extra: int) -> None:
    content = b"right" * 1000
    path, out = tmp_path / "x", tmp_path / "out"
    path.write_bytes(content)
    Inbox(out)
    part = out / PARTS / f"{sm3_hex(content)}.{len(content)}.part"
    part.write_bytes(b"wrong" * 1000 + b"x" * extra)

    first = transfer(configure, out, [path])

    assert parts(out) == []
    if extra:  # longer than offered: begun anew
        assert states(first) == (["stored"], ["stored"])
    else:
        assert isinstance(first[0], TransferRefused)
        assert states(transfer(configure, out, [path])) == (["stored"], ["stored"])
    assert visible(out) == {"x": content}


def test_keys_are_renewed_within_a_file(tmp_path: Path, configure: Configure) -> None:
    content = os.urandom(2_000_000)
    path, out = tmp_path / "big", tmp_path / "out"
    path.write_bytes(content)

    found = transfer(configure, out, [path], limited(configure(), rekey_bytes=600_000))

    assert states(found) == (["stored"], ["partial", "partial", "stored"])
    assert (found[0][0].connections, found[0][0].bytes_sent) == (3, len(content))
    assert visible(out) == {"big": content}


def test_a_full_disk_is_told_while_data_are_on_their_way(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "big", tmp_path / "out"
    path.write_bytes(bytes(8_000_000))

    def full(_: object, __: bytes) -> None:
        raise Refused("disk")

    monkeypatch.setattr(inbox_module.Incoming, "write", full)
    error, received = transfer(configure, out, [path])

    assert isinstance(error, TransferRefused)
    assert "cannot write" in str(error)
    assert received[0].reason == "disk"
    assert visible(out) == {}


def test_no_room(tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x")
    monkeypatch.setattr(inbox_module, "RESERVE_BYTES", 1 << 62)

    error, _ = transfer(configure, tmp_path / "out", [path])

    assert "no room" in str(error)


def test_one_at_a_time_receives_a_file(tmp_path: Path) -> None:
    inbox, offer = Inbox(tmp_path), Offer(name="x", size=3, sm3=sm3_hex(b"abc"))
    first = inbox.begin(offer)
    with pytest.raises(Refused, match="busy"):
        Inbox(tmp_path).begin(offer)
    first.write(b"abc")
    first.finish()
    first.close()
    assert inbox.begin(offer) is None


def test_more_than_offered_is_not_written(tmp_path: Path) -> None:
    incoming = Inbox(tmp_path).begin(Offer(name="x", size=3, sm3=sm3_hex(b"abc")))
    with pytest.raises(Refused):
        incoming.write(b"abcd")
    assert incoming.part.read_bytes() == b""


def test_all_unfit_files_are_told_before_anything_is_sent(tmp_path: Path, configure: Configure) -> None:
    hidden, absent, twin = tmp_path / ".secret", tmp_path / "absent", tmp_path / "a" / "x"
    twin.parent.mkdir()
    for path in (hidden, twin, tmp_path / "x"):
        path.write_bytes(b"")

    error, received = transfer(configure, tmp_path / "out", [hidden, absent, twin, tmp_path / "x", tmp_path])

    assert [one.what for one in error.problems] == [
        "a file of this name is not sent: {name}",
        "{path} is no file",
        "{path} is no file",
        "two files are named {name}",
    ]
    assert received == []


HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "a\0b",
    "a\nb",
    ".incoming",
    "\u202egnp.exe",
    " x",
    "x" * 201,
]
HOSTILE += ["e\u0301", "\ud800"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_elsewhere_are_no_offer(name: str) -> None:
    with pytest.raises(ProtocolBroken):
        Offer(name=name, size=1, sm3="0" * 64)


@given(st.text(max_size=300))
def test_a_plain_name_is_one_component(name: str) -> None:
    if is_plain_name(name):
        folder = Path("/base")
        assert (folder / name).parent == folder
        assert os.path.normpath(folder / name) == str(folder / name)


MANNERS = [
    pytest.param(lambda c: write_frame(c, Kind.DATA, b"x"), id="data before an offer"),
    pytest.param(lambda c: write_frame(c, Kind.OFFER, b"not json"), id="no JSON"),
    pytest.param(lambda c: write_frame(c, Kind.OFFER, b"[" * 4000), id="deep JSON"),
    pytest.param(lambda c: write_words(c, Kind.OFFER, {"name": "../x", "size": 1, "sm3": "0" * 64}), id="traversal"),
    pytest.param(lambda c: write_words(c, Kind.OFFER, {"name": "x", "size": -1, "sm3": "0" * 64}), id="negative"),
    pytest.param(lambda c: write_words(c, Kind.OFFER, {"name": "x", "size": True, "sm3": "0" * 64}), id="no number"),
    pytest.param(lambda c: write_words(c, Kind.OFFER, {"name": "x", "size": 1, "sm3": "../" * 21}), id="digest"),
    pytest.param(lambda c: c.write(b"\x09\0\0\0\0"), id="unknown frame"),
    pytest.param(lambda c: c.write(b"\x02\xff\xff\xff\xff"), id="4 GiB of words"),
]


async def rest(channel: Channel) -> None:
    while await channel.read():
        pass
    await channel.wait_closed()


@pytest.mark.parametrize("misbehave", MANNERS)
def test_a_sender_out_of_line_is_cut_off(
    tmp_path: Path, configure: Configure, misbehave: Callable[[Channel], None]
) -> None:
    inbox = Inbox(tmp_path / "out")

    async def talk() -> Any:
        received: list[Received] = []
        handler = lambda channel: receive_files(channel, inbox, received.append)  # noqa: E731
        async with serving(configure(), handler) as (port, refusals):
            channel = await connect(configure(), LOOPBACK, port)
            misbehave(channel)
            with pytest.raises(ChannelError):
                await rest(channel)
            channel.abort()
        return received, refusals

    received, refusals = run(talk())
    assert received == []
    assert isinstance(refusals[0].error, ProtocolBroken)
    assert visible(tmp_path / "out") == {}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out"]


def test_a_receiver_that_speaks_something_else(tmp_path: Path, configure: Configure) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x")

    async def talk() -> Any:
        async def greets_otherwise(channel: Channel) -> None:
            write_words(channel, Kind.GREETING, {"yunwang": "logs"})
            await channel.read()

        async with serving(configure(), greets_otherwise) as (port, _):
            with pytest.raises(ProtocolBroken):
                await send_all(configure(), port, [path])

    run(talk())


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, configure: Configure, monkeypatch: Any) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"now other")
    offer = Offer(name="x", size=9, sm3=sm3_hex(b"as it was"))
    monkeypatch.setattr("crypto.channel.files.send._offer", lambda _: offer)

    error, received = transfer(configure, tmp_path / "out", [path])

    assert "changed" in str(error)
    assert [one.reason for one in received] == ["digest"]
    assert (visible(tmp_path / "out"), parts(tmp_path / "out")) == ({}, [])
