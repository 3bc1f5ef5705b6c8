"""An audit page in a real browser: a headless Chromium, a server on loopback, and words for what a person does there.

Nothing here sleeps: every wait is for a condition. What leaves the server is recorded on its way out, so that a test can
say what a browser never received, and the browser's own log says where it sent requests.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from judge.audit.access import Access
from judge.audit.server import Setting, make_app
from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger
from judge.ledger.verifying import verify

PATIENCE_S = 45  # only a bound: a loaded machine may need it, and nothing waits longer than it must
STILL = {"name": "prefers-reduced-motion", "value": "reduce"}
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # in a container, as root, it has none
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--window-size=1440,900",
)


def why_no_browser() -> str | None:
    """What is missing on this machine, or None."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(missing)} not found; Debian: apt-get install chromium chromium-driver" if missing else None


class Chrome:
    """One browser process. Tests share it, each with a page, a port and so cookies of its own."""

    def __init__(self) -> None:
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for argument in _ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        options.set_capability("unhandledPromptBehavior", "ignore")
        self.driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
        self.driver.set_page_load_timeout(PATIENCE_S)

    def fresh(self) -> None:
        """Leave one empty tab, no cookies, and nothing in the logs."""
        first, *others = self.driver.window_handles
        for handle in others:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.driver.switch_to.window(first)
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [STILL]})
        self.driver.get_log("performance")
        self.driver.get_log("browser")

    def quit(self) -> None:
        """End the process."""
        self.driver.quit()


class Tab:
    """What a person sees of one page and does with it."""

    def __init__(self, chrome: Chrome, origin: str) -> None:
        self.driver = chrome.driver
        self.origin = origin
        self.handle = self.driver.current_window_handle

    def front(self) -> Tab:
        """Turn to this tab."""
        self.driver.switch_to.window(self.handle)
        return self

    def go(self, path: str) -> Tab:
        """Open an address of the page."""
        self.driver.get(f"{self.origin}{path}")
        return self

    def js(self, code: str, *values: Any) -> Any:
        """Ask the page something."""
        return self.driver.execute_script(code, *values)

    def wait(self, condition: str, *values: Any) -> Any:
        """Wait until a condition of the page holds, and return what it gave."""
        waiting = WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.02)
        return waiting.until(lambda driver: driver.execute_script(f"return {condition}", *values), condition)

    def wait_for(self, selector: str) -> Tab:
        """Wait until there is such an element."""
        self.wait("document.querySelector(arguments[0]) !== null", selector)
        return self

    def press(self, *keys: str) -> Tab:
        """Press keys, one after another."""
        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()
        return self

    def chord(self, held: str, key: str) -> Tab:
        """Press a key while another one is held."""
        ActionChains(self.driver, duration=0).key_down(held).send_keys(key).key_up(held).perform()
        return self

    def commit(self) -> Tab:
        """Press Ctrl+Enter."""
        return self.chord(Keys.CONTROL, Keys.ENTER)

    def tab_to(self, selector: str, limit: int = 200) -> Tab:
        """Press Tab until the focus is on such an element, as who has no mouse does."""
        for _ in range(limit):
            if self.js("return document.activeElement.matches(arguments[0])", selector):
                return self
            self.press(Keys.TAB)
        raise AssertionError(f"{selector} cannot be reached with the Tab key")

    def text(self, selector: str = "body") -> str:
        """The words of the first such element, '' if there is none."""
        return str(self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        """The words of every such element."""
        return list(
            self.js("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent.trim())", selector)
        )

    def turn(self) -> str:
        """The id of the turn that has the focus, or ''."""
        return str(self.js("return document.activeElement.closest('.turn')?.id ?? ''"))

    def path(self) -> str:
        """Where the tab is."""
        return urlsplit(self.driver.current_url).path

    def sign_in(self, link: str, name: str, mode: str) -> Tab:
        """Open a one-time link and say who this is, with the keyboard."""
        self.driver.get(link.replace("http://127.0.0.1", self.origin.rpartition(":")[0]))
        self.wait_for("#sign-in").press(name)
        if mode == "read":
            self.tab_to("[name=mode]").press(Keys.ARROW_DOWN)
        self.press(Keys.ENTER).wait_for("body.queue")
        return self

    def open_case(self, title: str) -> Tab:
        """Open the first case in the queue on a rubric of this name."""
        self.wait_for("body.queue")
        row = "[...document.querySelectorAll('.row a')].find((e) => e.textContent.toLowerCase().includes(arguments[0]))"
        self.wait(f"{row} !== undefined", title)
        self.js(f"{row}.click()", title)
        return self.wait_for("#main[data-ready]")

    def width(self, pixels: int, height: int = 900, *, zoom: float = 1.0) -> Tab:
        """Make the window so wide; with zoom, everything is drawn larger on the same screen, as the browser's zoom does."""
        metrics = {
            "width": round(pixels / zoom),
            "height": round(height / zoom),
            "deviceScaleFactor": zoom,
            "mobile": False,
        }
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        return self

    def scheme(self, name: str) -> Tab:
        """Prefer light or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}, STILL]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        return self

    def dialog_opened(self) -> bool:
        """Whether a script has put up an alert."""
        try:
            self.driver.switch_to.alert.dismiss()
        except NoAlertPresentException:
            return False
        return True


class Recorder:
    """Everything that the application sends, by path."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.sent: list[tuple[str, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request and keep what is answered."""

        async def kept(event: Any) -> None:
            headers = b"".join(value for _, value in event.get("headers", ()))
            self.sent.append((scope.get("path", ""), headers + event.get("body", b"")))
            await send(event)

        await self._app(scope, receive, kept)

    def holds(self, words: str) -> list[str]:
        """The paths of the answers in which these words were."""
        return [path for path, body in self.sent if words.encode() in body]


class Desktop:
    """A served audit page and the browser."""

    def __init__(self, chrome: Chrome, folder: Path, ledger: Ledger, listening: socket.socket, **more: Any) -> None:
        self.chrome = chrome
        self.folder = folder
        self.gold = folder / "gold"
        self.port = listening.getsockname()[1]
        self.access = Access()
        setting = Setting(ledger, str(folder / "ledger.db"), self.gold, **more)
        self.recorder = Recorder(make_app(setting, self.access, self.port))

    def link(self) -> str:
        """A one-time link."""
        return f"http://127.0.0.1:{self.port}/open?token={self.access.new_link()}"

    def tab(self, name: str, mode: str, host: str = "127.0.0.1", *, new: bool = False) -> Tab:
        """Somebody signed in. Cookies go by host, so `localhost` is a second person in the same browser."""
        if new:
            self.chrome.driver.switch_to.new_window("tab")
        return Tab(self.chrome, f"http://{host}:{self.port}").sign_in(self.link(), name, mode)

    def check(self) -> None:
        """What holds after anything that anybody does here."""
        assert self.complaints() == []
        own = tuple(f"http://{host}:{self.port}/" for host in ("127.0.0.1", "localhost"))
        assert [url for url in self.requests() if not url.startswith(own)] == []
        with open_ledger(self.folder / "ledger.db", create=False, read_only=True) as book:
            verify(book).require()

    def requests(self) -> list[str]:
        """Every address that the browser has asked for since the last time, from its own log."""
        messages = [json.loads(row["message"])["message"] for row in self.chrome.driver.get_log("performance")]
        sent = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("about:")]

    def complaints(self) -> list[str]:
        """What scripts and policy complained of, refusals that a test provoked left out."""
        rows = self.chrome.driver.get_log("browser")
        return [row["message"] for row in rows if "the server responded with a status of 4" not in row["message"]]


@contextmanager
def start_desktop(chrome: Chrome, folder: Path, **more: Any) -> Iterator[Desktop]:
    """Serve the ledger of a folder (the one that `make_bench` writes, where there is none) until the block ends."""
    from audit.asking import make_bench

    if not (folder / "ledger.db").exists():
        make_bench(folder).ledger.close()
    chrome.fresh()
    with (
        open_ledger(folder / "ledger.db", create=False) as ledger,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        here = Desktop(chrome, folder, ledger, listening, **more)
        config = uvicorn.Config(
            here.recorder, access_log=False, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        serving.start()
        try:
            yield here
        finally:
            chrome.driver.get("about:blank")
            server.should_exit = True
            serving.join(timeout=PATIENCE_S)
