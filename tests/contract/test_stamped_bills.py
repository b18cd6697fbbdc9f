"""CONTRACT §7: where the configuration names a time-stamp authority, bills are stamped, and outlive their signer's key."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import ROOT, Platform, free_port
from yunwang.cli.call import Call
from yunwang.serving import keyring_of
from yunwang.wiring import open_site

USAGE = """source,event_id,tenant,resource,meter,quantity,unit,start,end
c,e{month},fin-core,vm-1,vcpu,744,vcpu*h,2026-{month:02}-01T00:00:00+08:00,2026-{month:02}-28T00:00:00+08:00
"""
PRICES = """yunwang_catalogue: 1
currency: CNY
prices: [{sku: vcpu-std, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91", approved_by: 省财政厅}]
"""


@pytest.fixture(scope="module")
def ready(site: Platform, folder: Path) -> Platform:
    """The site with prices, and usage of three months, closed."""
    (folder / "prices.yaml").write_text(PRICES, "utf-8")
    site.json("catalogue", "load", str(folder / "prices.yaml"))
    for month in (1, 2, 3):
        (folder / "usage.csv").write_text(USAGE.format(month=month))
        site.json("meter", "import", str(folder / "usage.csv"))
        site.json("bill", "close", "--month", f"2026-{month:02}", "--waive", "usage by table")
    return site


def issue(site: Platform, month: str, tsa: str) -> str:
    site.configure(f'[crypto]\ntsa = "{tsa}"\n' if tsa else "")
    return str(site.json("bill", "issue", "--month", month)["paths"][0])


def verdict(site: Platform, bundle: str, *more: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = site.json("verify", bundle, *more, code=code)
    return found


@pytest.fixture(scope="module")
def plain(ready: Platform) -> str:
    return issue(ready, "2026-01", "")


@pytest.fixture(scope="module")
def stamped(ready: Platform, plain: str) -> str:
    del plain  # months are issued in order
    return issue(ready, "2026-02", "site")


@pytest.fixture(scope="module")
def authority(ready: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL and the CA of an authority that is none of the site's."""
    tmp_path = tmp_path_factory.mktemp("clock")
    other = {**ready.environment, "YW_DATA": str(tmp_path / "none")}

    def yw(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "yunwang", "crypto", *arguments], cwd=ROOT, env=other, check=True, stdout=subprocess.DEVNULL
        )  # fmt: skip

    ca, key, request, leaf = (str(tmp_path / name) for name in ("ca", "K.pem", "r.csr", "tsa.pem"))
    yw("ca", "init", "--dir", ca, "--subject", "CN=clock")
    yw("keygen", "--out", key)
    yw("csr", "--key", key, "--subject", "CN=stamps", "--out", request)
    yw("ca", "issue", request, "--dir", ca, "--profile", "tsa", "--out", leaf)
    command = ("crypto", "tsa", "serve", "--listen", "127.0.0.1:0", "--key", key, "--cert", leaf)
    process = subprocess.Popen(
        [sys.executable, "-m", "yunwang", *command], cwd=ROOT, env=other, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    text = ""
    while not text.rstrip().endswith("}"):
        text += process.stdout.readline()
    yield json.loads(text)["url"], str(Path(ca) / "ca.pem")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


@pytest.fixture(scope="module")
def witnessed(ready: Platform, stamped: str, authority: tuple[str, str], folder: Path) -> list[bool]:
    """Whether a bill stamped by the outside authority counts as stamped: without its CA, and with it."""
    del stamped  # as above
    ready.configure(f'[crypto]\ntsa = "http://127.0.0.1:{free_port()}/"\n')
    gone = ready.run("bill", "issue", "--month", "2026-03")
    assert (gone.returncode, gone.stdout) == (4, "")
    assert "no time stamp from" in gone.stderr
    url, ca = authority
    bundle, both = issue(ready, "2026-03", url), folder / "both.pem"
    both.write_bytes((ready.data / "ca.pem").read_bytes() + Path(ca).read_bytes())
    return [verdict(ready, bundle, *more)["timestamped"] for more in ((), ("--ca", str(both)))]


def test_an_outside_authority_stops_the_bill_when_it_is_gone_and_counts_where_it_is_trusted(
    witnessed: list[bool],
) -> None:
    assert witnessed == [False, True]


@pytest.mark.usefixtures("witnessed")
def test_a_stamped_bill_outlives_the_revocation_of_its_signer(ready: Platform, plain: str, stamped: str) -> None:
    before = [verdict(ready, one) for one in (plain, stamped)]
    assert [one["timestamped"] for one in before] == [False, True]
    time.sleep(2)  # the authority vouches for a second only
    certificate = str(ready.data / "keys" / "site-signing.cert.pem")
    revoke = ("crypto", "ca", "revoke", "--dir", "site", "--cert", certificate, "--reason", "key_compromise")
    crl = ready.json(*revoke)["crl"]
    for more in ((), ("--crl", crl)):
        refused = verdict(ready, plain, *more, code=1)
        assert "was revoked" in refused["problems"][0]["what"]
        assert verdict(ready, stamped, *more) == before[1]
    page = keyring_of(open_site(Call(data=ready.data), demo=False)).verify
    assert [page(Path(one)).accepted for one in (plain, stamped)] == [False, True]
