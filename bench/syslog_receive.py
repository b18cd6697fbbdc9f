"""Syslog over TCP into the spool: messages a CPU-second, none lost. ``python bench/syslog_receive.py [--messages N]``.

Senders run in another process. The peer is rsyslog with imtcp writing the same messages to a file, if it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from collectors.outbox import Outbox
from collectors.status import CollectorStatus
from collectors.syslog import Listen, SyslogReceiver, open_socket
from storage.spool import SpoolWriter

CONNECTIONS = 4
SENDER = """
import socket, sys, threading
port, count = int(sys.argv[1]), int(sys.argv[2])
body = b"Failed password for invalid user admin from 203.0.113.77 port 51234 ssh2"
def send(number):
    head = b"<86>Nov 22 11:00:00 web-app%d " % number
    lines = [b"%ssshd[%d]: %s %d.%d" % (head, at, body, number, at) for at in range(count)]
    framed = [b"%d %b" % (len(line), line) if number % 2 else line + b"\\n" for line in lines]
    data = b"".join(framed)
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(data)
threads = [threading.Thread(target=send, args=(number,)) for number in range(int(sys.argv[3]))]
for one in threads: one.start()
for one in threads: one.join()
"""
RSYSLOG = """
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{folder}/out" template="RSYSLOG_TraditionalFileFormat")
"""


def sender(port: int, messages: int) -> subprocess.Popen[bytes]:
    arguments = [str(port), str(messages // CONNECTIONS), str(CONNECTIONS)]
    return subprocess.Popen([sys.executable, "-c", SENDER, *arguments])


async def ours(messages: int, folder: Path) -> tuple[float, int]:
    """CPU seconds of this process, and messages in the spool."""
    status = CollectorStatus()
    with SpoolWriter(folder, "collect") as writer:
        outbox = Outbox(writer)
        receiver = SyslogReceiver(outbox, status)
        opened = open_socket("tcp", "127.0.0.1:0")
        moving = asyncio.create_task(outbox.run())
        serving = asyncio.create_task(receiver.serve([Listen(protocol="tcp", opened=opened)]))
        await asyncio.sleep(0.1)
        begun = time.process_time()
        process = sender(opened.getsockname()[1], messages)
        deadline = time.monotonic() + 120
        while status.received["syslog-tcp"] < messages and time.monotonic() < deadline:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.02)
        spent = time.process_time() - begun
        process.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        moving.cancel()
        return spent, writer.end


def peer(messages: int, folder: Path) -> float | None:
    """CPU seconds of rsyslog; None if it is not here."""
    program = shutil.which("rsyslogd", path=os.environ["PATH"] + ":/usr/sbin")
    if program is None:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "conf").write_text(RSYSLOG.format(port=port, folder=folder))
    command = [program, "-n", "-f", str(folder / "conf"), "-i", str(folder / "pid")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        begun = cpu_of(process.pid)
        sender(port, messages).wait()
        deadline = time.monotonic() + 60
        while count_lines(folder / "out") < messages and time.monotonic() < deadline:
            time.sleep(0.1)
        return cpu_of(process.pid) - begun
    finally:
        process.terminate()
        process.wait(10)


def cpu_of(pid: int) -> float:
    """User and system seconds of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=200_000)
    messages = parser.parse_args().messages // CONNECTIONS * CONNECTIONS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rsyslog").mkdir()
        spent, stored = asyncio.run(ours(messages, folder / "spool"))
        theirs = peer(messages, folder / "rsyslog")
    print(f"lost: {messages - stored} of {messages}")
    rate = messages / spent
    if theirs is None:
        print(f"ratio: no peer here, install rsyslog ({rate:,.0f} messages a CPU-second)")
    else:
        other = messages / theirs
        print(f"ratio: {rate / other:.2f}x rsyslog ({rate:,.0f} to {other:,.0f} messages a CPU-second)")


if __name__ == "__main__":
    main()
