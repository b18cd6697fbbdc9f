"""The site's keys through the CLI: two persons, an audit log that never misses a change, whenever the process dies."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from access import audit
from access.tables import audit_log
from crypto.keys import KeyEvent, KeyStore, State, files, keyfile
from crypto.keys.record import Use
from records.errors import UserError
from records.instants import now
from records.secret import Secret
from storage.state import open_state, reading
from storage.unavailable import UnavailableError
from yunwang.cli import main
from yunwang.custody import audit_of, custody_of
from yunwang.place import Place
from yunwang.settings import Settings
from yunwang.wiring import Site

INVENTORY = 'yunwang: 1\nregions: [{code: "230000", name: 黑龙江省, level: province}]\n'
PASSWORD = "Frost-River-2026"
Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a site with one user, made once."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "pass").write_text("correct horse\n")
    (folder / "inventory.yaml").write_text(INVENTORY, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crypto.keys.keyfile.ROUNDS", 1)
        patch.setenv("YW_PASSPHRASE_FILE", str(folder / "pass"))
        patch.setattr("sys.stdin", io.StringIO(PASSWORD))
        data = ["--data", str(folder / "data")]
        assert main(["inventory", "import", str(folder / "inventory.yaml"), *data]) == 0
        assert main(["user", "add", "first", *data]) == 0
    return folder / "data"


@pytest.fixture
def run(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A site with one user, ``first``; with ``token`` a call acts as its user, else as that of the operating system."""
    shutil.copytree(template, tmp_path / "data")
    monkeypatch.setattr("crypto.keys.keyfile.ROUNDS", 1)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("YW_PASSPHRASE_FILE", str(tmp_path / "pass"))
    monkeypatch.setenv("LANG", "C")
    for name in ("YW_CA", "YW_DATA", "YW_TOKEN", "YW_DEMO", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("pass").write_text("correct horse\n")
    Path("new").write_text("another horse\n")

    def call(*arguments: str, typed: str = "", token: str = "") -> tuple[int, Any, str]:
        with monkeypatch.context() as patch:
            if token:
                patch.setenv("YW_TOKEN", token)
            patch.setattr("sys.stdin", io.StringIO(typed))
            code = main([*arguments, "--data", str(tmp_path / "data"), "-o", "json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return call


def log(data: Path) -> list[tuple[str, str, str]]:
    """(action, object, outcome) of every record, whose chain must hold."""
    engine = open_state(f"sqlite:///{data / 'state.db'}")
    assert audit.verify(engine) == []
    with reading(engine) as connection:
        rows = connection.execute(sa.select(audit_log).order_by(audit_log.c.number)).mappings().all()
    return [(one["action"], one["object"], one["outcome"]) for one in rows]


def key_log(tmp_path: Path, *actions: str) -> list[tuple[str, str]]:
    return [(action, outcome) for action, _, outcome in log(tmp_path / "data") if action in actions]


def test_the_life_of_a_key_by_its_commands(run: Run, tmp_path: Path) -> None:
    assert run("crypto", "keys", "generate", "k", "--use", "enc", "--dry-run")[1]["applied"] is False
    made = run("crypto", "keys", "generate", "k", "--use", "enc")[1]
    assert (made["use"], made["state"], made["applied"]) == ("enc", "pre-active", True)
    assert run("crypto", "keys", "generate", "k")[0] == 3
    assert run("crypto", "keys", "generate", "k", "--dry-run")[0] == 3
    assert run("crypto", "keys", "activate", "k", "--dry-run")[1]["state"] == "active"
    assert run("crypto", "keys", "activate", "k")[1]["state"] == "active"
    assert run("crypto", "keys", "activate", "k")[0] == 5
    assert run("crypto", "keys", "rotate-kek", "--dry-run")[1] == {"rewrapped": 0, "applied": False}
    assert run("crypto", "keys", "rotate-kek")[1]["algorithm"] == "sm4"
    states = {one["name"]: one["state"] for one in run("crypto", "keys", "ls")[1]}
    assert states["k"] == "active"
    assert sum(name.startswith("kek-") for name in states) == 1
    assert key_log(tmp_path, "key.generate", "key.activate", "kek.rotate") == [
        ("key.generate", "begun"), ("key.generate", "success"), ("key.generate", "begun"), ("key.generate", "failure"),
        ("key.activate", "begun"), ("key.activate", "success"), ("kek.rotate", "begun"), ("kek.rotate", "success"),
    ]  # fmt: skip


def test_alone_one_person_suffices_and_the_output_says_who_agreed(run: Run) -> None:
    run("crypto", "keys", "generate", "k")
    export = ("crypto", "keys", "export", "k", "--out", "K.pem", "--new-passphrase-file", "new", "--prf", "rfc")
    assert "approvals" not in run(*export, "--dry-run")[1]
    assert not Path("K.pem").exists()
    assert run(*export)[1]["approvals"] == []
    key = keyfile.load_private_key(Path("K.pem").read_bytes(), Secret("another horse"))
    assert "approvals" not in run("crypto", "keys", "destroy", "k", "--dry-run")[1]
    gone = run("crypto", "keys", "destroy", "k")[1]
    assert (gone["state"], gone["approvals"], gone["fingerprint"]) == ("destroyed", [], key.public.fingerprint)


def second_person(run: Run) -> str:
    """A second user who may agree; the token of that user."""
    assert run("user", "add", "second", "--role", "secadmin", typed=PASSWORD)[0] == 0
    code, made, err = run("token", "new", "--user", "second")
    assert code == 0, err
    return str(made["token"])


@pytest.mark.parametrize("action", ["export", "destroy"])
def test_of_two_users_the_second_must_agree(run: Run, tmp_path: Path, action: str) -> None:
    run("crypto", "keys", "generate", "k")
    token = second_person(run)
    more = ("--out", "K.pem", "--new-passphrase-file", "new") if action == "export" else ()
    command = ("crypto", "keys", action, "k", *more)
    code, waiting, err = run(*command)
    assert (code, waiting["action"], waiting["state"]) == (5, f"key.{action}", "pending")
    assert f"next: let another person run `yw approve {waiting['approval']}`" in err
    assert (Path("K.pem").exists(), (tmp_path / "data" / "keys" / "k.key.pem").exists()) == (False, True)
    assert run("approve", waiting["approval"])[0] == 5, "nobody agrees to his own request"
    assert run("approve", waiting["approval"], token=token)[0] == 0
    code, done, _ = run(*command)
    assert (code, [one["approved_by"] for one in done["approvals"]]) == (0, ["second"])
    assert (Path("K.pem").exists(), (tmp_path / "data" / "keys" / "k.key.pem").exists()) == (
        action == "export",
        action == "export",
    )
    again = run(*command)
    assert again[0] == 5, "an approval is used once, and a destroyed key is destroyed"
    assert key_log(tmp_path, f"key.{action}") == [(f"key.{action}", "begun"), (f"key.{action}", "success")]


def test_a_ca_inside_a_data_folder_is_audited_and_outside_is_not(run: Run, tmp_path: Path) -> None:
    run("crypto", "keygen", "--out", "K.pem")
    run("crypto", "csr", "--key", "K.pem", "--subject", "CN=web", "--out", "r.csr")
    ca = ("--dir", "lab")
    assert run("crypto", "ca", "init", *ca, "--subject", "CN=lab")[0] == 0
    assert run("crypto", "ca", "issue", "r.csr", *ca, "--profile", "sign", "--out", "web.pem")[0] == 0
    assert run("crypto", "ca", "revoke", *ca, "--cert", "web.pem", "--dry-run")[1]["applied"] is False
    assert run("crypto", "ca", "revoke", *ca, "--cert", "web.pem")[0] == 0
    assert run("crypto", "ca", "crl", *ca, "--out", "list.pem")[0] == 0
    actions = [(action, outcome) for action, _, outcome in log(tmp_path / "data") if action.startswith("ca.")]
    assert actions == [
        (f"ca.{verb}", outcome) for verb in ("init", "issue", "revoke", "crl") for outcome in ("begun", "success")
    ]
    before = log(tmp_path / "data")
    assert main(["crypto", "ca", "crl", *ca, "--out", "list.pem", "--data", str(tmp_path / "none")]) == 0
    assert (log(tmp_path / "data"), (tmp_path / "none").exists()) == (before, False)


def test_the_sites_own_ca_revokes_and_yw_verify_takes_its_list(run: Run, tmp_path: Path) -> None:
    Path("doc").write_bytes(b"data")
    assert run("crypto", "cms", "sign", "--detached", "--key", "site", "--out", "doc.p7s", "doc")[0] == 0
    assert run("verify", "doc")[0] == 0
    keys = tmp_path / "data" / "keys"
    assert run("crypto", "ca", "init", "--dir", "site", "--subject", "CN=x")[0] == 2
    revoke = ("crypto", "ca", "revoke", "--dir", "site", "--cert", str(keys / "site-signing.cert.pem"))
    code, found, _ = run(*revoke, "--reason", "key_compromise")
    assert (code, found["crl"]) == (0, str(tmp_path / "data" / "site-ca" / "crl.pem"))
    code, verdict, _ = run("verify", "doc")
    assert (code, verdict["valid"], verdict["trusted"]) == (1, False, False)
    assert "was revoked" in verdict["problems"][0]["what"]
    code, verdict, err = run("crypto", "cms", "verify", "doc")
    assert (code, verdict["why"]) == (1, "CertificateRevoked")
    assert err.startswith("error: certificate CN=Yunwang signing")
    elsewhere = ["--ca", str(tmp_path / "data" / "ca.pem"), "--data", str(tmp_path / "none"), "-o", "json"]
    assert main(["verify", "doc", *elsewhere]) == 0
    assert main(["verify", "doc", "--crl", found["crl"], *elsewhere]) == 1
    assert main(["crypto", "cms", "verify", "doc", "--crl", found["crl"], *elsewhere]) == 1


def test_a_lost_signing_key_is_followed_by_another_and_revoked(run: Run, tmp_path: Path) -> None:
    """As the docs tell it: rotate, report, revoke; what the old key signed is refused, what the new one signs holds."""
    sign = ("crypto", "cms", "sign", "--detached", "--key", "site", "--out")
    for name in ("old", "new.doc"):
        Path(name).write_bytes(b"data")
    assert run(*sign, "old.p7s", "old")[0] == 0
    kept = run("crypto", "keys", "rotate", "site-signing")[1]["kept_as"]
    assert run("crypto", "keys", "compromise", kept)[1]["state"] == "compromised"
    certificate = str(tmp_path / "data" / "keys" / f"{kept}.cert.pem")
    assert run("crypto", "ca", "revoke", "--dir", "site", "--cert", certificate, "--reason", "key_compromise")[0] == 0
    assert run(*sign, "new.doc.p7s", "new.doc")[0] == 0
    assert (run("verify", "old")[0], run("verify", "new.doc")[0]) == (1, 0)
    rows = {row["serial"]: row["reason"] for row in run("crypto", "ca", "ls", "--dir", "site")[1]}
    assert sorted(map(str, rows.values())) == ["None", "key_compromise"]


def test_a_changed_register_is_told_with_the_next_step(run: Run) -> None:
    assert run("crypto", "ca", "init", "--dir", "lab", "--subject", "CN=lab")[0] == 0
    register = Path("lab/register.json")
    register.write_bytes(register.read_bytes().replace(b'"crl_number": 0', b'"crl_number": 1'))
    for command in (("ls",), ("crl", "--out", "list.pem")):
        code, _, err = run("crypto", "ca", *command, "--dir", "lab")
        assert code == 3
        assert "was changed" in err
        assert "next: restore the CA's whole folder" in err


# ---- a process that dies


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with an active and a deactivated key, and the state database."""
    monkeypatch.setattr("crypto.keys.keyfile.ROUNDS", 1)
    site = site_of(tmp_path)
    tmp_path.joinpath("keys").mkdir(mode=0o700)
    custody = custody_of(site)
    custody.generate("on", Use.SIGN, now(), state=State.ACTIVE)
    custody.generate("off", Use.SIGN, now(), state=State.ACTIVE)
    custody.change("off", State.DEACTIVATED, now())
    site.state.dispose()
    return tmp_path


def site_of(folder: Path) -> Site:
    site = Site(Place(folder, demo=False), Settings())
    site.__dict__["keystore"] = KeyStore(folder / "keys", Secret("x"))
    return site


STEPS: dict[str, Callable[[Site], object]] = {
    "key.generate": lambda site: custody_of(site).generate("new", Use.SIGN, now()),
    "key.deactivate": lambda site: custody_of(site).change("on", State.DEACTIVATED, now()),
    "key.rotate": lambda site: custody_of(site).rotate("on", now()),
    "key.destroy": lambda site: custody_of(site).destroy("off", now()),
}


def killed(folder: Path, act: Callable[[Site], object], at: int) -> bool:
    """Whether a process of its own was killed at its step number ``at``; steps are before and after each thing done."""
    pid = os.fork()
    if not pid:
        os._exit(_act(folder, act, at))
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def _act(folder: Path, act: Callable[[Site], object], at: int) -> int:
    """In the child: 0 if it came to its end, 1 if it failed."""
    left = [at]

    def step(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            step()
            found = real(*arguments, **named)
            step()
            return found

        return call

    try:
        files.write_atomic, files.destroy = stepping(files.write_atomic), stepping(files.destroy)
        site = site_of(folder)
        sa.event.listen(site.state, "commit", step)
        act(site)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must not go on twice
        return 1
    return 0


def keys_of(folder: Path) -> dict[str, bytes]:
    kept = (one for one in (folder / "keys").iterdir() if one.suffix in {".pem", ".json"} and one.name[0] != ".")
    return {one.name: one.read_bytes() for one in kept}


@pytest.mark.parametrize("action", STEPS)
def test_after_a_kill_at_any_step_a_change_has_at_least_its_beginning_in_the_log(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, action: str
) -> None:
    before, seen = keys_of(folder), set()
    for at in range(1, 60):
        copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("kill") / "data"))
        died = killed(copy, STEPS[action], at)
        told = [outcome for name, _, outcome in log(copy) if name == action][-2:]
        mine = told if action not in {"key.generate", "key.deactivate"} else _newest(copy, action)
        changed = keys_of(copy) != before
        assert not changed or "begun" in mine, f"killed at step {at}: a change that nobody was told of"
        assert changed or "success" not in mine, f"killed at step {at}: told of a change that is none"
        seen.add((changed, tuple(mine)))
        if not died:
            break
    assert not died
    assert seen == {(False, ()), (False, ("begun",)), (True, ("begun",)), (True, ("begun", "success"))}


def _newest(folder: Path, action: str) -> list[str]:
    """Outcomes of the action on the key that the step is about, not on those of the fixture."""
    name = {"key.generate": "new", "key.deactivate": "on"}[action]
    return [outcome for verb, key, outcome in log(folder) if (verb, key) == (action, name)]


def test_a_log_that_fails_after_the_change_says_that_it_was_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_of(folder)
    real = audit.record

    def full(*arguments: Any) -> int:
        if arguments[4] == "success":
            raise UnavailableError("the state database cannot be used: {reason}", "free space", reason="disk is full")
        return real(*arguments)

    monkeypatch.setattr("access.audit.record", full)
    with pytest.raises(UserError) as told:
        custody_of(site).change("on", State.DEACTIVATED, now())
    (problem,) = told.value.problems
    assert problem.text().startswith("key.deactivate of 'on' is done, but the audit log has only its beginning")
    assert (site.keystore.record("on").state, "do not repeat it" in problem.next_step) == (State.DEACTIVATED, True)


def test_a_change_that_fails_is_told_as_a_failure(folder: Path) -> None:
    site = site_of(folder)

    @contextmanager
    def broken() -> Iterator[None]:
        with audit_of(site)(KeyEvent(action="key.try", name="k")):
            yield

    with pytest.raises(ZeroDivisionError), broken():
        1 / 0  # noqa: B018 - any failure
    assert [one for one in log(folder) if one[0] == "key.try"] == [
        ("key.try", "k", "begun"),
        ("key.try", "k", "failure"),
    ]
