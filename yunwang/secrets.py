"""``secret:NAME``, ``secret:file:PATH``, ``secret:env:NAME`` to the secret (CONTRACT §2); the keystore's passphrase."""

from __future__ import annotations

import getpass
import os
import secrets
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from records.errors import UserError
from records.secret import Secret
from yunwang.language import translate
from yunwang.place import Place

if TYPE_CHECKING:
    from crypto.keys.keystore import KeyStore

Resolve = Callable[[str], Secret]


def resolver(keystore: Callable[[], KeyStore]) -> Resolve:
    """A function from reference to secret; the keystore is opened only when a ``secret:NAME`` needs it."""

    def resolve(reference: str) -> Secret:
        kind, _, name = reference.removeprefix("secret:").partition(":")
        if kind == "env" and name:
            return _from_environment(name)
        if kind == "file" and name:
            return secret_of_file(Path(name))
        return keystore().secret(kind)

    return resolve


def _from_environment(name: str) -> Secret:
    value = os.environ.get(name)
    if value is None:
        raise UserError(
            "the environment has no '{name}'",
            "set it where this process is started",
            where=f"secret:env:{name}",
            name=name,
        )
    return Secret(value)


def secret_of_file(path: Path) -> Secret:
    """The text of a file without its last newline; UserError if it cannot be read or is no text."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "cannot read the secret: {reason}", "check the file", where=f"secret:file:{path}", reason=error
        ) from error
    return Secret(text.removesuffix("\n"))


def passphrase(place: Place) -> Secret:
    """The keystore's passphrase: ``YW_PASSPHRASE_FILE``, the systemd credential, the demo's own file, or a prompt."""
    named = os.environ.get("YW_PASSPHRASE_FILE")
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if named:
        return secret_of_file(Path(named))
    if credentials and (Path(credentials) / "yw-passphrase").exists():
        return secret_of_file(Path(credentials) / "yw-passphrase")
    if place.demo:
        return _made_for_demo(place.root / "passphrase")
    if sys.stdin.isatty():
        return Secret(getpass.getpass(translate("passphrase of the keystore: ")))
    raise UserError(
        "the keystore's passphrase is not known",
        "put it into a file of mode 0600 and name that in YW_PASSPHRASE_FILE",
        where=str(place.keys),
    )


def _made_for_demo(file: Path) -> Secret:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(32))
    return secret_of_file(file)
