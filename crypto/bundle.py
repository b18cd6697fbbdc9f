"""Signed bundles (CONTRACT §7): the only writer, and the only verifier.

Verification recomputes, it does not only check a signature.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from crypto.cms import Signer, read_signer, sign_detached
from crypto.container import Container, open_container, write_zip
from crypto.errors import CryptoError, DigestMismatch, InvalidEncoding, VerificationFailed
from crypto.identity import SiteIdentity
from crypto.keys.files import sync_folder
from crypto.manifest import MANIFEST, MAX_MANIFEST_BYTES, SIGNATURE, FileEntry, Manifest, check_path, parse_manifest
from crypto.pki.revocation import NOTHING_KNOWN, Revocations
from crypto.sm3 import Sm3, sm3_file, sm3_hex
from crypto.verification import BundleProblem, Verification
from crypto.x509 import Certificate
from records.errors import UserError

MAX_SIGNATURE_BYTES = 1 << 20
SIGNATURE_SUFFIX = ".p7s"
_RECOMPUTING = (
    UserError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)  # what hostile content can make a rule raise

__all__ = [
    "BundleProblem",
    "BundleReader",
    "Rule",
    "Verification",
    "manifest_digest",
    "verify_artefact",
    "verify_bundle",
    "write_bundle",
]


class BundleReader:
    """The checked files of a bundle, for the rule that recomputes its kind."""

    def __init__(self, container: Container, manifest: Manifest) -> None:
        self.manifest = manifest
        self._container = container
        self._files = {one.path: one for one in manifest.files}

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the files, sorted; the manifest and its signature are not among them."""
        return tuple(self._files)

    def read(self, path: str) -> bytes:
        """The content, compared with its digest again: what is recomputed is what was signed. Raises CryptoError."""
        entry = self._files.get(path)
        if entry is None:
            raise CryptoError(
                "the bundle holds no {path}", "ask the sender for the whole bundle", where=path, path=path
            )
        data = b"".join(self._container.pieces(path, entry.size))
        if sm3_hex(data) != entry.sm3:
            raise DigestMismatch("{path} was changed", "ask the sender for the bundle again", where=path, path=path)
        return data


Rule = Callable[[BundleReader], list[BundleProblem]]


def write_bundle(
    out: Path,
    kind: str,
    files: Mapping[str, bytes | Path],
    identity: SiteIdentity,
    *,
    created: datetime,
    producer: str,
    previous: str | None = None,
    as_zip: bool = False,
) -> Path:
    """Write and sign a bundle at ``out``, all of it or nothing; returns ``out``.

    Args:
        out: A folder, or a zip file with ``as_zip``; must not exist.
        kind: ``bill``, ``log-segment``, …
        files: Path in the bundle to content, or to a file that is copied.
        identity: Who signs.
        created: Also the signing time.
        producer: Program and version.
        previous: ``manifest_digest`` of the bundle before.
        as_zip: Pack it into one file, at most 4 GiB.
    """
    if out.exists():
        raise CryptoError(
            "{path} is there already",
            "bundles are never overwritten: choose another place",
            where=str(out),
            path=str(out),
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.with_name(f".{out.name}.{secrets.token_hex(8)}.tmp")
    try:
        _fill(work, files)
        entries = tuple(
            FileEntry(path=name, size=(work / name).stat().st_size, sm3=sm3_file(work / name).hex())
            for name in sorted(files)
        )
        manifest = Manifest(kind=kind, created=created, producer=producer, files=entries, previous=previous).encode()
        parse_manifest(manifest)  # what cannot be read back is not written
        _put(work / MANIFEST, manifest)
        _put(work / SIGNATURE, sign_detached(manifest, identity, created))
        _finish(work, out, [*files, MANIFEST, SIGNATURE] if as_zip else None)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out


def _fill(work: Path, files: Mapping[str, bytes | Path]) -> None:
    work.mkdir()
    for name, content in files.items():
        check_path(name)
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
            _sync(target)
        else:
            _put(target, content)


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    _sync(path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _finish(work: Path, out: Path, packed: Sequence[str] | None) -> None:
    """Make the bundle durable, then visible under its name in one step."""
    if packed is None:
        for folder in [*(path for path in work.rglob("*") if path.is_dir()), work]:
            sync_folder(folder)
        work.rename(out)
    else:
        whole = work / ".zip"
        with whole.open("xb") as file:
            write_zip(file, [(name, work / name) for name in packed])
            file.flush()
            os.fsync(file.fileno())
        whole.rename(out)
    sync_folder(out.parent)


def manifest_digest(path: Path) -> str:
    """SM3 of a bundle's manifest in hex: what the next bundle names as ``previous``."""
    container = open_container(path)
    try:
        return sm3_hex(_whole(container, MANIFEST, MAX_MANIFEST_BYTES))
    finally:
        container.close()


def verify_bundle(
    path: Path, anchors: Sequence[Certificate], rules: Mapping[str, Rule], known: Revocations = NOTHING_KNOWN
) -> Verification:
    """Check every byte against manifest and signature, then recompute the kind by its rule.

    Raises nothing that an attacker can cause: what is wrong is a problem of the verdict.
    """
    try:
        container = open_container(path)
    except CryptoError as error:
        problem = error.problems[0]
        return _verdict(None, None, 0, [BundleProblem(path=path.name, what=problem.what, values=problem.values)])
    try:
        return _verify(container, anchors, rules, known)
    finally:
        container.close()


def _verify(
    container: Container, anchors: Sequence[Certificate], rules: Mapping[str, Rule], known: Revocations
) -> Verification:
    names = set(container.names())
    problems = [BundleProblem(path=name, what="is missing") for name in (MANIFEST, SIGNATURE) if name not in names]
    if problems:
        return _verdict(None, None, 0, problems)
    signer, manifest, problems = _signed_manifest(container, anchors, known)
    if manifest is None:
        return _verdict(None, signer, 0, problems)
    found = _files(container, manifest, names)
    if not problems and not found:
        found = _recompute(BundleReader(container, manifest), rules)
    return _verdict(manifest.kind, signer, len(manifest.files), [*problems, *found])


def _verdict(kind: str | None, signer: Signer | None, checked: int, problems: Sequence[BundleProblem]) -> Verification:
    return Verification(
        kind=kind,
        trusted=signer is not None and signer.trusted,
        signer=signer.name if signer else None,
        root=signer.root if signer else None,
        signed_at=signer.signed_at if signer else None,
        timestamped=signer is not None and signer.timestamped,
        checked=checked,
        problems=tuple(problems),
    )


def _signed_manifest(
    container: Container, anchors: Sequence[Certificate], known: Revocations
) -> tuple[Signer | None, Manifest | None, list[BundleProblem]]:
    """Signer and manifest as far as they hold; a changed manifest is told under its own name and its signature's."""
    signer, manifest, problems = None, None, list[BundleProblem]()
    try:
        data = _whole(container, MANIFEST, MAX_MANIFEST_BYTES)
        signature = _whole(container, SIGNATURE, MAX_SIGNATURE_BYTES)
    except (CryptoError, OSError) as error:
        return None, None, [BundleProblem(path=MANIFEST, what="{error}", values={"error": error})]
    try:
        signer = read_signer(data, signature, anchors, whole_chain=True, known=known)
    except DigestMismatch:
        problems.append(BundleProblem(path=MANIFEST, what="was changed after signing"))
        problems.append(BundleProblem(path=SIGNATURE, what="the signature is for another manifest"))
    except VerificationFailed as error:
        problems.append(_problem(SIGNATURE, error))
    try:
        manifest = parse_manifest(data)
    except CryptoError as error:
        problems.append(_problem(MANIFEST, error))
    return signer, manifest, problems


def _problem(path: str, error: UserError) -> BundleProblem:
    return BundleProblem(path=path, what=error.problems[0].what, values=error.problems[0].values)


def _whole(container: Container, name: str, limit: int) -> bytes:
    data = b"".join(container.pieces(name, limit))
    if len(data) > limit:
        raise InvalidEncoding(
            "{name} is longer than {limit} bytes",
            "ask the sender for the bundle again",
            where=name,
            name=name,
            limit=limit,
        )
    return data


def _files(container: Container, manifest: Manifest, names: set[str]) -> list[BundleProblem]:
    """Changed, missing and added files, in order of their paths."""
    listed = {one.path for one in manifest.files}
    problems = [
        BundleProblem(path=name, what="is not in the manifest") for name in names - listed - {MANIFEST, SIGNATURE}
    ]
    problems += [BundleProblem(path=name, what="is missing") for name in listed - names]
    for entry in manifest.files:
        if entry.path in names:
            problems += _file(container, entry)
    return sorted(problems, key=lambda problem: problem.path)


def _file(container: Container, entry: FileEntry) -> list[BundleProblem]:
    digest, size = Sm3(), 0
    try:
        for piece in container.pieces(entry.path, entry.size):
            digest.update(piece)
            size += len(piece)
    except (CryptoError, OSError) as error:
        return [BundleProblem(path=entry.path, what="{error}", values={"error": error})]
    if size != entry.size or digest.hexdigest() != entry.sm3:
        return [BundleProblem(path=entry.path, what="was changed after signing")]
    return []


def _recompute(reader: BundleReader, rules: Mapping[str, Rule]) -> list[BundleProblem]:
    kind = reader.manifest.kind
    if kind not in rules:
        return [BundleProblem(path=MANIFEST, what="kind '{kind}' cannot be recomputed here", values={"kind": kind})]
    try:
        return rules[kind](reader)
    except _RECOMPUTING as error:
        return [
            BundleProblem(
                path=MANIFEST, what="kind '{kind}' cannot be recomputed: {error}", values={"kind": kind, "error": error}
            )
        ]


def verify_artefact(
    path: Path, anchors: Sequence[Certificate], rules: Mapping[str, Rule], known: Revocations = NOTHING_KNOWN
) -> Verification:
    """Any signed thing: a bundle (folder or zip), ``X`` beside ``X.p7s``, or that ``X.p7s``.

    Raises UserError where there is nothing to verify.
    """
    beside = path.with_name(path.name + SIGNATURE_SUFFIX)
    if path.is_dir():
        return verify_bundle(path, anchors, rules, known)
    if not path.exists():
        raise UserError("{path} is not there", "name a bundle or a file with its .p7s", where=str(path), path=str(path))
    if path.suffix == SIGNATURE_SUFFIX:
        return _verify_detached(path.with_suffix(""), path, anchors, known)
    if beside.exists():
        return _verify_detached(path, beside, anchors, known)
    if _is_zip(path):
        return verify_bundle(path, anchors, rules, known)
    raise UserError(
        "{path} has no signature",
        "put {beside} beside it, or name a bundle",
        where=str(path),
        path=str(path),
        beside=beside.name,
    )


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _verify_detached(data: Path, signature: Path, anchors: Sequence[Certificate], known: Revocations) -> Verification:
    if not data.exists():
        return _verdict("file", None, 0, [BundleProblem(path=data.name, what="is missing")])
    try:
        signer = read_signer(data.read_bytes(), signature.read_bytes(), anchors, known=known)
    except DigestMismatch:
        return _verdict("file", None, 1, [BundleProblem(path=data.name, what="was changed after signing")])
    except VerificationFailed as error:
        return _verdict("file", None, 1, [_problem(signature.name, error)])
    return _verdict("file", signer, 1, [])
