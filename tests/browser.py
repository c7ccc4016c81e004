"""A real Chromium without a screen, spoken to by its own protocol (https://chromedevtools.github.io/devtools-protocol)."""

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.sync.client import ClientConnection, connect

from infrastructure.local_stack.supervisor.processes import Program, Running
from tests.waiting import GUARD_SECONDS, wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LISTENING = re.compile(r"DevTools listening on (ws://\S+)")
LARGEST_MESSAGE = 50_000_000
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), "ArrowDown": (40, ""), " ": (32, " ")}


class PageFailed(Exception):
    """The page threw, or the browser refused what it was asked for. The message is the browser's."""


class Browser:
    """Opens pages that share nothing: no storage, no cookie, no cache."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._asked = 0
        self._pages: dict[str, Page] = {}

    @contextmanager
    def page(self, *, width: int = 1280, height: int = 800) -> Iterator["Page"]:
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.ask(f"{domain}.enable")
        page.resize(width, height)
        yield page
        self.ask("Target.disposeBrowserContext", browserContextId=context)
        del self._pages[session]

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._asked += 1
        number = self._asked
        said = {"id": number, "method": method, "params": parameters}
        self._connection.send(json.dumps(said if session is None else {**said, "sessionId": session}))
        while True:
            heard = json.loads(self._connection.recv(GUARD_SECONDS))
            if heard.get("id") == number:
                break
            if heard.get("sessionId") in self._pages:
                self._pages[heard["sessionId"]].hear(heard["method"], heard["params"])
        if "error" in heard:
            raise PageFailed(f"{method}: {heard['error']['message']}")
        result: dict[str, Any] = heard["result"]
        return result


class Page:
    """A tab, used as a person would: by what it shows, with a mouse and a keyboard."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.errors: list[str] = []
        """What the page threw, and what its policies forbade."""
        self.requested: list[str] = []
        """Every address it asked for."""

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.ask(method, self._session, **parameters)

    def hear(self, event: str, parameters: dict[str, Any]) -> None:
        match event:
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            case "Log.entryAdded" if parameters["entry"]["source"] in ("security", "javascript", "violation"):
                self.errors.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requested.append(parameters["request"]["url"])

    def resize(self, width: int, height: int) -> None:
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, scheme: str) -> Self:
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        return self

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)

    def run(self, expression: str) -> Any:
        """What the expression comes to in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise PageFailed(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    @property
    def text(self) -> str:
        """All that a reader sees."""
        return str(self.run("document.body?.innerText ?? ''"))

    def wait_for(self, expression: str, description: str) -> None:
        try:
            wait_until(lambda: self.run(f"Boolean({expression})"), description, within_seconds=GUARD_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\nerrors: {self.errors}\nthe page shows:\n{self.text}") from None

    def wait_for_text(self, text: str, within: str = "body") -> None:
        self.wait_for(
            f"[...document.querySelectorAll({json.dumps(within)})].some(one => "
            f"one.innerText.includes({json.dumps(text)}))",
            f"{within} shows '{text}'",
        )

    def click(self, words: str) -> None:
        """Presses the one button or link that reads so, wherever it is."""
        found = wait_until(
            lambda: self.run(
                "(all => { if (all.length !== 1) return null; all[0].scrollIntoView({block: 'center'});"
                " const box = all[0].getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })"
                "([...(document.querySelector('dialog[open]') ?? document).querySelectorAll('button, a, summary')]"
                f".filter(one => !one.disabled && one.checkVisibility() && one.innerText.trim() === {json.dumps(words)}))"
            ),
            f"there is one '{words}' to press",
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask(
                "Input.dispatchMouseEvent", type=kind, x=found[0], y=found[1], button="left", buttons=1, clickCount=1
            )

    def type(self, text: str, into: str) -> None:
        """Writes into the field of this label."""
        field = f"[...document.querySelectorAll('label')].find(one => one.innerText.trim() === {json.dumps(into)})"
        self.wait_for(f"{field}?.control?.checkVisibility()", f"there is a field '{into}'")
        self.run(f"{field}.control.focus()")
        self.ask("Input.insertText", text=text)

    def press(self, key: str) -> None:
        code, text = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser of our own. Skips where there is none: no wheel has one, so a bare machine can't be asked for it."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is on PATH: `apt install chromium` has it")
    running = Running(
        Program(
            name="chromium",
            argv=(
                program,
                "--headless=new",
                "--remote-debugging-port=0",
                f"--user-data-dir={folder / 'profile'}",
                # Under root Chromium has no sandbox, and what it loads here is ours.
                *(("--no-sandbox",) if os.geteuid() == 0 else ()),
                *("--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
                *("--no-proxy-server", "--hide-scrollbars", "--force-prefers-reduced-motion", "--disable-extensions"),
                "about:blank",
            ),
            log=folder / "chromium.log",
        )
    )
    try:
        running.await_ready(lambda: running.said("DevTools listening on "), within_seconds=GUARD_SECONDS)
        listening = LISTENING.search((folder / "chromium.log").read_text(errors="replace"))
        assert listening is not None, "Chromium says where it listens"
        with connect(listening[1], max_size=LARGEST_MESSAGE, proxy=None, compression=None) as connection:
            yield Browser(connection)
    finally:
        running.kill()
