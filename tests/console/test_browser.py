"""The pages in a real Chromium: nothing from elsewhere, nothing inline, no barrier, nothing wider than the screen."""

from __future__ import annotations

import gzip
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import uvicorn
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from access import users
from access.approvals import Action, ApprovalNeededError, Ask, agreed
from access.roles import Role
from access.sessions import Limits
from access.tables import approval
from console.app import create_app
from console.deps import ConsoleDeps
from console.ports import KeyViews, Views
from inventory.model import Inventory
from records.instants import format_instant
from storage.state import metadata, open_state, writing
from tests.running import missing_peer
from yunwang import sockets

pytestmark = pytest.mark.peer

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PASSWORD = "Frost-River-2026"
AXE = Path(__file__).parent / "axe-4.14.1.min.js.gz"
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}"
PAGES = (
    "/",
    "/screen",
    "/links",
    "/links/230100-2",
    "/usage/2026-11",
    "/bills/2026-11",
    "/bills/2026-11/hlj-finance",
    "/alerts",
    "/alerts/al-0001",
    "/incidents",
    "/incidents/in-001",
    "/rules",
    "/collectors",
    "/approvals",
    "/approvals/ap-0123456789",
    "/users",
    "/audit-log",
    "/audit-log/verify",
    "/crypto",
    "/crypto/verify",
    "/help",
    "/account/password",
    "/links?q=nothing-like-this",
    "/nope",
)
PLAIN_PAGE_BYTES, CHART_PAGE_BYTES = 100_000, 400_000
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_STATUS = {
    "ready": True,
    "processes": [{"name": "work", "pid": 1, "state": "running", "since": format_instant(AT)}],
    "counters": {
        "received": 12,
        "parsed": 11,
        "unparsed": 1,
        "stored": 12,
        "dropped": {"queue": 1},
        "late": 0,
        "alerts": 3,
    },
    "lag_seconds": 0.0,
}


class Site:
    """A console on a free port whose data a test can declare changed."""

    def __init__(self, url: str, versions: dict[str, str]) -> None:
        self.url = url
        self.versions = versions


def waiting_request(engine: sa.Engine) -> None:
    """Somebody wants to give a role; the page's address is known."""
    shown = {"user": "zhao", "roles": ["billing", "netadmin"], "everywhere": True, "first": [{"sku": "vcpu-std"}]}
    ask = Ask(
        actor="li", action=Action.USER_GRANT, object="zhao", particulars=shown, reason="新到岗，接替王五的计费工作"
    )
    with pytest.raises(ApprovalNeededError):
        agreed(engine, ask, AT)
    with writing(engine) as connection:
        connection.execute(sa.update(approval).values(id="ap-0123456789"))


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, inventory: Inventory, views: Views, keyring: KeyViews
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("console")
    engine = open_state(f"sqlite:///{folder}/state.db")
    metadata.create_all(engine)
    with writing(engine) as connection:
        users.add_user(connection, "test", "admin", PASSWORD, AT, display_name="管理员", must_change=False)
        for role in (Role.SYSADMIN, Role.AUDITOR):
            users.grant(connection, "test", "admin", role, AT, organisations=None)
        users.add_user(connection, "test", "li", PASSWORD, AT, must_change=False)
    waiting_request(engine)
    (folder / "ca.pem").write_text("-")
    versions = {"links": "1"}
    deps = ConsoleDeps(
        engine=engine,
        inventory=lambda: inventory,
        views=views,
        keyring=keyring,
        status=lambda: _STATUS,
        versions=lambda: dict(versions),
        ready=dict,
        demo=True,
        ca=folder / "ca.pem",
        clock=lambda: AT,
        limits=Limits(idle=timedelta(days=1), concurrent=1000),
        version="0.1.0",
    )
    opened = sockets.listen("tcp", "127.0.0.1:0", "test")
    server = uvicorn.Server(
        uvicorn.Config(create_app(deps), lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Site(f"http://127.0.0.1:{opened.getsockname()[1]}", versions)
    server.should_exit = True
    thread.join(5)
    engine.dispose()


@pytest.fixture(scope="module")
def browser(require_peer: Callable[[str, str, str], str]) -> Iterator[Browser]:
    path = require_peer("Chromium", "chromium", "apt-get install chromium fonts-noto-cjk")
    if subprocess.call([compute_driver_executable()[0], "--version"], stdout=subprocess.DEVNULL):
        missing_peer("playwright's driver does not start; install what it lacks: apt-get install libatomic1")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def logged_in(browser: Browser, site: Site) -> Any:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    enter(page, site)
    state = context.storage_state()
    context.close()
    return state


def enter(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/login")
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{site.url}/")


class Watch:
    """What a page did that it must not do."""

    def __init__(self, page: Page, origin: str) -> None:
        self.foreign: list[str] = []
        self.said: list[str] = []
        page.on(
            "request", lambda one: self.foreign.append(one.url) if not one.url.startswith((origin, "data:")) else None
        )
        page.on("console", lambda one: self.said.append(one.text) if one.type in {"error", "warning"} else None)
        page.on("pageerror", lambda one: self.said.append(str(one)))

    def check(self) -> None:
        assert (self.foreign, [one for one in self.said if "404 (Not Found)" not in one]) == ([], [])


@pytest.fixture
def open_context(browser: Browser, logged_in: Any) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []

    def make(width: int = 1440, height: int = 900, **more: Any) -> BrowserContext:
        context = browser.new_context(viewport={"width": width, "height": height}, storage_state=logged_in, **more)
        opened.append(context)
        return context

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def page(open_context: Callable[..., BrowserContext], site: Site) -> Iterator[Page]:
    opened = open_context(locale="zh-CN").new_page()
    watch = Watch(opened, site.url)
    yield opened
    watch.check()


def barriers(page: Page) -> list[str]:
    """What axe finds, one line each."""
    page.evaluate(gzip.decompress(AXE.read_bytes()).decode())
    found = page.evaluate(f"axe.run(document, {RULES})")["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_page_has_no_barrier_and_asks_nobody_else(page: Page, site: Site, path: str, theme: str) -> None:
    page.context.add_cookies([{"name": "theme", "value": theme, "url": site.url}])
    page.goto(site.url + path)
    assert barriers(page) == []


def test_login_page_has_no_barrier(browser: Browser, site: Site) -> None:
    context = browser.new_context(locale="en")
    page = context.new_page()
    watch = Watch(page, site.url)
    page.goto(f"{site.url}/login")
    assert barriers(page) == []
    watch.check()
    context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_page_is_wider_than_a_phone(open_context: Callable[..., BrowserContext], site: Site, lang: str) -> None:
    context = open_context(390, 844)
    context.add_cookies([{"name": "lang", "value": lang, "url": site.url}])
    page = context.new_page()
    wide = []
    for path in PAGES:
        page.goto(site.url + path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []


def test_pages_are_light(open_context: Callable[..., BrowserContext], site: Site) -> None:
    heavy = {}
    for path in PAGES:
        page = open_context().new_page()  # a cold cache
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        sizes: list[int] = []
        session.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"]))
        page.goto(site.url + path)
        page.wait_for_load_state("load")
        limit = CHART_PAGE_BYTES if page.locator("[data-chart]").count() else PLAIN_PAGE_BYTES
        if sum(sizes) > limit:
            heavy[path] = sum(sizes)
        page.close()
    assert heavy == {}


def test_chart_is_drawn_and_its_table_holds_the_same(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/links/230100-2")
    chart = page.locator("#traffic")
    chart.locator("canvas").wait_for()
    assert "230100-2" in (chart.get_attribute("aria-label") or "")
    points = page.evaluate("JSON.parse(document.getElementById('traffic-data').textContent).at.length")
    page.click("#traffic-table summary")
    assert page.locator("#traffic-table tbody tr").count() == points == 288
    chart.hover()  # the tooltip is drawn, not injected: no style breaks the policy


def test_sorting_and_paging_swap_the_list_only(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/links")
    page.evaluate("window.untouched = true")
    page.click("th a:has-text('利用率')")
    page.locator("th[aria-sort=ascending]:has-text('利用率')").wait_for()
    page.click("th a:has-text('利用率')")
    page.locator("th[aria-sort=descending]:has-text('利用率')").wait_for()
    page.click("a[rel=next]")
    page.locator("a[rel=prev]").wait_for()
    assert page.evaluate("window.untouched") is True
    assert "cursor=" in page.url
    assert "sort=-utilisation" in page.url
    page.go_back()
    page.locator("th[aria-sort=descending]").wait_for()
    assert page.locator("a[rel=prev]").count() == 0


def test_filtering_by_keyboard_alone(page: Page, site: Site) -> None:
    page.goto(site.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url(f"{site.url}/links")
    page.keyboard.press("/")
    page.keyboard.type("哈尔滨市到道里区")
    page.keyboard.press("Enter")
    page.locator("text=共 2 条").wait_for()


def test_a_change_reaches_the_screen(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/links/230100-2")
    page.click("#traffic-table summary")
    stamp = page.evaluate("document.querySelector('#link').dataset.marked = '1'")
    assert stamp == "1"
    with page.expect_response(lambda answer: answer.request.headers.get("x-live") == "1", timeout=15_000) as told:
        page.wait_for_timeout(500)
        site.versions["links"] = str(int(site.versions["links"]) + 1)
    assert told.value.status == 200
    page.wait_for_timeout(300)
    assert page.locator("#traffic-table[open]").count() == 1  # what the reader unfolded stays so
    assert page.locator("#traffic canvas").count() == 1


def test_theme_switch_works_at_once_and_stays(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/links/230100-2")
    page.click("[data-theme-switch]")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_session_end_leads_to_the_login(open_context: Callable[..., BrowserContext], site: Site) -> None:
    page = open_context(locale="zh-CN").new_page()
    page.goto(f"{site.url}/links")
    page.context.clear_cookies()
    site.versions["links"] = str(int(site.versions["links"]) + 1)
    page.wait_for_url("**/login?next=**", timeout=20_000)


@pytest.mark.long
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_screenshots(
    open_context: Callable[..., BrowserContext], site: Site, tmp_path: Path, width: int, theme: str, lang: str
) -> None:
    """Every page in every look, for people to see; a page that fails to show anything fails here."""
    context = open_context(width, 900)
    context.add_cookies(
        [{"name": name, "value": value, "url": site.url} for name, value in (("theme", theme), ("lang", lang))]
    )
    page = context.new_page()
    watch = Watch(page, site.url)
    for path in PAGES:
        page.goto(site.url + path)
        assert page.locator("h1").first.inner_text()
        name = path.strip("/").replace("/", "-").partition("?")[0] or "home"
        assert len(page.screenshot(path=tmp_path / f"{name}-{width}-{theme}-{lang}.png", full_page=True)) > 5_000
    watch.check()
