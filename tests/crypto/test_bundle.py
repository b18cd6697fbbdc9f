"""Bundles: every changed byte is named, hostile ones are refused, and a right signature alone is not enough."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from crypto.bundle import BundleProblem, BundleReader, manifest_digest, verify_artefact, verify_bundle, write_bundle
from crypto.cms import sign_detached
from crypto.errors import CryptoError
from crypto.manifest import FileEntry, Manifest, parse_manifest
from crypto.sm3 import sm3_hex
from records.errors import UserError
from tests.crypto.conftest import AT

FILES = {"bill.json": b'{"total":"1.00"}', "usage.csv": b"a,b\n", "文/附件.bin": bytes(range(256)), "empty": b""}


def total_is_one(reader: BundleReader) -> list[BundleProblem]:
    """A rule of a made-up kind: the total must be 1.00."""
    total = json.loads(reader.read("bill.json"))["total"]
    return (
        []
        if total == "1.00"
        else [BundleProblem(path="bill.json", what="{total} is not 1.00", values={"total": total})]
    )


RULES = {"bill": total_is_one}


@pytest.fixture(params=["folder", "zip"])
def bundle(request, tmp_path: Path, identity) -> Path:
    as_zip = request.param == "zip"
    out = tmp_path / ("b.zip" if as_zip else "b")
    return write_bundle(out, "bill", FILES, identity, created=AT, producer="yunwang 0.1.0", as_zip=as_zip)


@pytest.fixture
def folder(tmp_path: Path, identity) -> Path:
    return write_bundle(tmp_path / "b", "bill", FILES, identity, created=AT, producer="yunwang 0.1.0")


def paths(found) -> set[str]:
    return {problem.path for problem in found.problems}


def test_a_whole_bundle(bundle: Path, identity) -> None:
    assert verify_bundle(bundle, [identity.anchor], RULES).as_json() == {
        "kind": "bill",
        "valid": True,
        "trusted": True,
        "signer": "CN=省数据局 signing, O=省数据局, C=CN",
        "signed_at": "2026-11-22T03:00:00Z",
        "timestamped": False,
        "checked": 4,
        "problems": [],
    }
    assert verify_artefact(bundle, [identity.anchor], RULES).accepted


def test_the_manifest_is_that_of_the_contract(folder: Path) -> None:
    found = json.loads((folder / "manifest.json").read_bytes())
    assert set(found) == {"kind", "created", "producer", "files", "previous"}
    assert found["files"][0] == {"path": "bill.json", "size": 16, "sm3": sm3_hex(FILES["bill.json"])}
    assert [one["path"] for one in found["files"]] == ["bill.json", "empty", "usage.csv", "文/附件.bin"]
    assert parse_manifest((folder / "manifest.json").read_bytes()).encode() == (folder / "manifest.json").read_bytes()


@pytest.mark.parametrize("most", [60, pytest.param(10_000, marks=pytest.mark.long)])
def test_any_one_changed_byte_names_its_file(folder: Path, identity, most: int) -> None:
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        name, data = path.relative_to(folder).as_posix(), path.read_bytes()
        step = len(data) // most + 1
        for at in range(0, len(data), step):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
            found = verify_bundle(folder, [identity.anchor], RULES)
            assert not found.valid, f"byte {at} of {name}"
            assert name in paths(found), f"byte {at} of {name}"
            if name != "manifest.json":
                assert paths(found) == {name}
        path.write_bytes(data)
    assert verify_bundle(folder, [identity.anchor], RULES).accepted


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.long)])
def test_any_one_changed_byte_of_a_zip_is_found(tmp_path: Path, identity, step: int) -> None:
    path = write_bundle(tmp_path / "b.zip", "bill", FILES, identity, created=AT, producer="p", as_zip=True)
    data = path.read_bytes()
    for at in range(0, len(data), step):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        assert not verify_bundle(path, [identity.anchor], RULES).valid, at


@pytest.mark.parametrize("name", ["bill.json", "文/附件.bin", "manifest.json", "manifest.json.p7s"])
def test_a_missing_file_is_named(folder: Path, identity, name: str) -> None:
    (folder / name).unlink()
    found = verify_bundle(folder, [identity.anchor], RULES)
    assert (paths(found), found.valid) == ({name}, False)


def test_added_files_and_links_are_named(folder: Path, identity) -> None:
    (folder / "文" / "more").write_bytes(b"")
    (folder / "usage.csv").rename(folder.parent / "usage.csv")
    (folder / "usage.csv").symlink_to(folder.parent / "usage.csv")
    found = verify_bundle(folder, [identity.anchor], RULES)
    assert paths(found) == {"usage.csv", "文/more"}


def test_a_linked_folder_inside_is_not_followed(folder: Path, identity) -> None:
    (folder / "文").rename(folder.parent / "outside")
    (folder / "文").symlink_to(folder.parent / "outside")
    found = verify_bundle(folder, [identity.anchor], RULES)
    assert paths(found) == {"文", "文/附件.bin"}


def test_a_file_longer_than_its_signed_size_is_found(folder: Path, identity) -> None:
    """The reader stops one byte after the size: a digest over just those bytes must not pass."""
    long = b"0123456789"
    entry = FileEntry(path="a", size=5, sm3=sm3_hex(long[:6]))
    manifest = Manifest(kind="bill", created=AT, producer="p", files=(entry,), previous=None).encode()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "a").write_bytes(long)
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.json.p7s").write_bytes(sign_detached(manifest, identity, AT))
    assert paths(verify_bundle(folder, [identity.anchor], {"bill": lambda _: []})) == {"a"}


def test_signed_by_another_ca_is_valid_but_not_trusted(folder: Path, identity, stranger) -> None:
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json.p7s").write_bytes(sign_detached(manifest, stranger, AT))
    found = verify_bundle(folder, [identity.anchor], RULES)
    assert (found.valid, found.trusted, found.accepted) == (True, False, False)
    assert not verify_bundle(folder, [], RULES).trusted


def test_a_wrong_figure_signed_with_the_right_key_is_found(tmp_path: Path, identity) -> None:
    files = FILES | {"bill.json": b'{"total":"2.00"}'}
    out = write_bundle(tmp_path / "b", "bill", files, identity, created=AT, producer="p")
    found = verify_bundle(out, [identity.anchor], RULES)
    assert [problem.as_json() for problem in found.problems] == [{"path": "bill.json", "what": "2.00 is not 1.00"}]
    assert (found.trusted, found.accepted) == (True, False)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_content_that_trips_the_rule_is_a_problem(tmp_path: Path, identity, content: bytes) -> None:
    out = write_bundle(tmp_path / "b", "bill", {"bill.json": content}, identity, created=AT, producer="p")
    found = verify_bundle(out, [identity.anchor], RULES)
    assert not found.valid
    assert "cannot be recomputed" in found.as_json()["problems"][0]["what"]


def test_a_kind_without_a_rule_is_a_problem(folder: Path, identity) -> None:
    found = verify_bundle(folder, [identity.anchor], {})
    assert [problem.as_json() for problem in found.problems] == [
        {"path": "manifest.json", "what": "kind 'bill' cannot be recomputed here"}
    ]


def test_bundles_are_chained(folder: Path, tmp_path: Path, identity) -> None:
    digest = manifest_digest(folder)
    out = write_bundle(tmp_path / "c", "bill", FILES, identity, created=AT, producer="p", previous=digest)
    assert parse_manifest((out / "manifest.json").read_bytes()).previous == digest


def test_nothing_is_overwritten_and_nothing_is_left_behind(folder: Path, tmp_path: Path, identity) -> None:
    with pytest.raises(CryptoError, match="there already"):
        write_bundle(folder, "bill", FILES, identity, created=AT, producer="p")
    for kind, files in [
        ("Bill", FILES),
        ("bill", {"../x": b""}),
        ("bill", {"manifest.json": b""}),
        ("bill", {"a": b"", "a/b": b""}),
    ]:
        with pytest.raises((CryptoError, OSError)):
            write_bundle(tmp_path / "c", kind, files, identity, created=AT, producer="p")
    with pytest.raises(CryptoError):
        write_bundle(tmp_path / "c", "bill", {}, identity, created=AT, producer="p", previous="no digest")
    assert {path.name for path in tmp_path.iterdir()} == {"b"}


def test_files_are_copied_from_paths(tmp_path: Path, identity) -> None:
    (tmp_path / "source").write_bytes(b"x" * 3_000_000)
    out = write_bundle(
        tmp_path / "b",
        "bill",
        {"bill.json": FILES["bill.json"], "d/big": tmp_path / "source"},
        identity,
        created=AT,
        producer="p",
    )
    assert verify_bundle(out, [identity.anchor], RULES).accepted


# hostile and foreign zips


def packed(tmp_path: Path, folder: Path, *, around: str = "", compression: int = zipfile.ZIP_DEFLATED) -> Path:
    out = tmp_path / "foreign.zip"
    with zipfile.ZipFile(out, "w", compression) as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            archive.write(path, around + path.relative_to(folder).as_posix())
    return out


@pytest.mark.parametrize("around", ["", "2026-11/"])
def test_a_zip_of_another_tool_is_read(tmp_path: Path, folder: Path, identity, around: str) -> None:
    assert verify_bundle(packed(tmp_path, folder, around=around), [identity.anchor], RULES).accepted


@pytest.mark.usefixtures("folder")
def test_shutil_s_archive_is_read(tmp_path: Path, identity) -> None:
    made = shutil.make_archive(str(tmp_path / "made"), "zip", tmp_path, "b")
    assert verify_bundle(Path(made), [identity.anchor], RULES).accepted


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "C:x", "a//b", "./a", "a\nb", "bill.json"]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_name_in_a_zip_is_refused(tmp_path: Path, folder: Path, identity, name: str) -> None:
    path = packed(tmp_path, folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"evil")
    found = verify_bundle(path, [identity.anchor], RULES)
    assert (found.valid, found.trusted) == (False, False)
    assert paths(found) == {"foreign.zip"}


@pytest.mark.parametrize(
    ("name", "places"),
    [
        pytest.param(b"\0!", 2, id="empty, for Python ends it at the NUL"),
        pytest.param(b"\xff!", 1, id="not UTF-8 before the file"),
        pytest.param(b"\xff!", 2, id="not UTF-8 at all"),
        pytest.param("é".encode(), 1, id="another in the directory"),
    ],
)
def test_a_name_that_is_none_is_a_problem_of_the_zip(
    tmp_path: Path, folder: Path, identity, name: bytes, places: int
) -> None:
    (folder / "ü").write_bytes(b"")
    path = packed(tmp_path, folder)
    path.write_bytes(path.read_bytes().replace("ü".encode(), name, places))
    assert not verify_bundle(path, [identity.anchor], RULES).valid


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data[:-1], id="mark cut"),
        pytest.param(lambda data: data[:-16], id="mark cut off"),
        pytest.param(lambda data: data[:-18] + b"\0\0" + data[-16:], id="mark of no length"),
        pytest.param(lambda data: data[:-18] + b"\x0f\0" + data[-16:], id="mark of another length"),
        pytest.param(lambda data: data + b"\0", id="a byte behind"),
    ],
)
def test_the_end_of_a_zip_is_as_it_was_written(tmp_path: Path, identity, edit) -> None:
    path = write_bundle(tmp_path / "b.zip", "bill", FILES, identity, created=AT, producer="p", as_zip=True)
    path.write_bytes(edit(path.read_bytes()))
    assert not verify_bundle(path, [identity.anchor], RULES).valid


def test_a_link_in_a_zip_is_refused(tmp_path: Path, folder: Path, identity) -> None:
    path = packed(tmp_path, folder)
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, b"/etc/passwd")
    assert not verify_bundle(path, [identity.anchor], RULES).valid


def test_a_bomb_is_not_unpacked(tmp_path: Path, folder: Path, identity, monkeypatch) -> None:
    (folder / "usage.csv").write_bytes(bytes(300 << 20))
    path = packed(tmp_path, folder)
    read = []
    real = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: read.append(n) or real(self, n))
    found = verify_bundle(path, [identity.anchor], RULES)
    assert paths(found) == {"usage.csv"}
    assert sum(read) < 200 << 20  # a signature and a manifest at their limits, never the bomb
    monkeypatch.setattr("crypto.container.MAX_TOTAL_BYTES", 1 << 20)
    assert paths(verify_bundle(path, [identity.anchor], RULES)) == {"foreign.zip"}


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(100), b"text"])
def test_what_is_no_zip_is_a_problem(tmp_path: Path, identity, data: bytes) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(data)
    assert not verify_bundle(path, [identity.anchor], RULES).valid


# detached signatures


def test_a_file_beside_its_signature(tmp_path: Path, identity, stranger) -> None:
    file, beside = tmp_path / "bill.xlsx", tmp_path / "bill.xlsx.p7s"
    file.write_bytes(b"PK\x03\x04 an xlsx is a zip too")
    beside.write_bytes(sign_detached(file.read_bytes(), identity, AT))
    for path in (file, beside):
        found = verify_artefact(path, [identity.anchor], RULES)
        assert (found.kind, found.accepted, found.checked) == ("file", True, 1)
        assert not verify_artefact(path, [stranger.anchor], RULES).trusted
    file.write_bytes(b"changed")
    assert paths(verify_artefact(beside, [identity.anchor], RULES)) == {"bill.xlsx"}
    beside.write_bytes(b"no signature")
    assert paths(verify_artefact(file, [identity.anchor], RULES)) == {"bill.xlsx.p7s"}
    file.unlink()
    assert paths(verify_artefact(beside, [identity.anchor], RULES)) == {"bill.xlsx"}


def test_nothing_to_verify_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"text")
    for name in ("absent", "plain"):
        with pytest.raises(UserError):
            verify_artefact(tmp_path / name, [], RULES)
