"""A browser without a window, driven by the DevTools protocol of Chromium."""

import json
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str | None:
    """The program of Chromium or Chrome, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One tab: it goes to addresses, runs scripts, and keeps what went to the console."""

    def __init__(self, socket):
        self.socket, self.number, self.complaints, self.loaded = socket, 0, [], False
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Send a command and wait for its answer."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._hear(message)

    def _hear(self, message):
        method, params = message["method"], message["params"]
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            said = details.get("exception", {}).get("description", details["text"])
            self.complaints.append(said.splitlines()[0])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            entry = params["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            said = (str(a.get("value", a.get("description"))) for a in params["args"])
            self.complaints.append(" ".join(said))

    def go(self, address, wait=30.0):
        """Load a page, and wait until it is there with all its pictures and scripts."""
        self.loaded, self.complaints = False, []
        self.call("Page.navigate", url=address)
        end = time.monotonic() + wait
        while not self.loaded and time.monotonic() < end:
            try:
                self._hear_next(end)
            except TimeoutError:
                break
        if not self.loaded:
            self.complaints.append(f"not loaded after {wait:.0f} seconds")

    def _hear_next(self, end):
        message = json.loads(self.socket.recv(timeout=max(0.01, end - time.monotonic())))
        if "method" in message:
            self._hear(message)

    def run(self, script):
        """The value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        return answer["result"].get("value")

    def resize(self, width, height=900):
        """Make the window so wide, as a phone if it is narrow."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )


@contextmanager
def browser(program):
    """A page of a new browser, which is ended afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        options += ["--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"]
        process = subprocess.Popen(
            [program, *options, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            port = _port(Path(folder, "DevToolsActivePort"), process)
            with urlopen(f"http://127.0.0.1:{port}/json") as answer:
                tabs = [t for t in json.load(answer) if t["type"] == "page"]
            with connect(tabs[0]["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(20)


def _port(file, process):
    for _ in range(300):
        if file.exists() and (text := file.read_text()):
            return int(text.split()[0])
        if process.poll() is not None:
            raise RuntimeError(f"the browser ended with code {process.returncode}")
        time.sleep(0.1)
    raise RuntimeError("the browser does not answer")
