"""Private files: what is not of this user alone is refused by name, and a write is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crypto.errors import UnsafeFile
from crypto.keys import files

CONTENT = bytes(1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "k.pem"
    files.write_atomic(path, CONTENT)
    return path


def test_a_file_of_this_user_alone_is_read(file: Path) -> None:
    assert (files.read_private(file), file.stat().st_mode & 0o777) == (CONTENT, 0o600)


@pytest.mark.parametrize("mode", [0o601, 0o604, 0o602, 0o610, 0o640, 0o620, 0o644, 0o666, 0o777])
def test_wider_modes_are_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(UnsafeFile, match=f"{mode:04o}"):
        files.read_private(file)


def test_a_file_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(file, 12345, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UnsafeFile):
        files.read_private(file)


def test_a_second_name_is_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").hardlink_to(file)
    with pytest.raises(UnsafeFile):
        files.read_private(file)
    (tmp_path / "elsewhere").unlink()
    assert files.read_private(file) == CONTENT


def test_links_pipes_and_folders_are_refused(file: Path, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    os.mkfifo(pipe, 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for path in (link, pipe, tmp_path / "folder"):
        with pytest.raises(UnsafeFile):
            files.read_private(path)
    with pytest.raises(FileNotFoundError):
        files.read_private(tmp_path / "absent")


def test_destroying_overwrites_before_it_unlinks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"secret" * 100)
    seen: list[bytes] = []
    monkeypatch.setattr(Path, "unlink", lambda path: seen.append(path.read_bytes()))
    files.destroy(file)
    assert seen == [bytes(600)]
    monkeypatch.undo()
    files.destroy(file)
    assert not file.exists()
    with pytest.raises(FileNotFoundError):
        files.destroy(file)


WRITER = """
import sys
from pathlib import Path
from crypto.keys.files import write_atomic
path = Path(sys.argv[1])
print("on", flush=True)
while True:
    write_atomic(path, b"A" * 200_000)
    write_atomic(path, b"B" * 200_000)
"""


def test_killed_while_writing_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    for number in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.01 * (number + 1))
            writer.send_signal(signal.SIGKILL)
        if path.exists():
            assert path.read_bytes() in (b"A" * 200_000, b"B" * 200_000)
            assert path.stat().st_mode & 0o777 == 0o600
    files.write_atomic(path, CONTENT)
    assert files.read_private(path) == CONTENT
