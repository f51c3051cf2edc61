#!/usr/bin/env python3
"""Opens a page of reasonrank in headless Chromium and says what a person would stumble over.

    python3 tests/oracles/page_in_chromium.py report.html [--screenshots DIR]

Checks, in light and dark, at desktop and phone width: no console message, no uncaught error, no request but for the
file itself, every chart drawn, nothing wider than the screen, no element smaller than 11 px of text; and that printing
draws all charts. With --screenshots, writes desktop-light.png, desktop-dark.png, phone-light.png, phone-dark.png and
print.pdf there, to be looked at. Needs Debian's chromium; the Python standard library is enough.
"""
import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SCREENS = {"desktop": (1280, 900), "phone": (390, 844)}

LOOK = """(() => {
  const wide = [...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll') || e.matches('.scroll'))
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + '.' + e.className);
  const small = [...document.querySelectorAll('body *')].filter((e) => e.childNodes.length && e.innerText
    && parseFloat(getComputedStyle(e).fontSize) < 11).map((e) => e.tagName);
  const canvases = [...document.querySelectorAll('canvas')].filter((c) => c.checkVisibility());
  const blank = canvases.filter((c) => !c.width || !c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v));
  return {scroll: document.documentElement.scrollWidth - innerWidth, wide: wide.slice(0, 5), small: small.slice(0, 5),
          charts: canvases.length, blank: blank.length, height: document.documentElement.scrollHeight};
})()"""

SCROLL = """(async () => {
  for (const figure of document.querySelectorAll('figure')) {
    figure.scrollIntoView();
    await new Promise((done) => setTimeout(done, 60));
  }
  scrollTo(0, 0);
  await new Promise((done) => setTimeout(done, 600));
})()"""


class Browser:
    """Chromium, spoken to by the DevTools protocol over two pipes."""

    def __init__(self, profile):
        to_browser, self.commands = os.pipe()
        self.answers, from_browser = os.pipe()

        def place_pipes():
            os.dup2(to_browser, 103)
            os.dup2(from_browser, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--hide-scrollbars", "--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}"],
            preexec_fn=place_pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.last_id = 0
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method, **params):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message()
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def next_message(self):
        while b"\0" not in self.buffer:
            chunk = os.read(self.answers, 1 << 20)
            if not chunk:
                raise RuntimeError("Chromium ended")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.next_message())

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def close(self):
        self.process.terminate()
        self.process.wait()


def complaints_of(events, url):
    found = []
    for event in events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.consoleAPICalled":
            found.append(f"console: {[a.get('value') for a in params['args']]}")
        elif method == "Runtime.exceptionThrown":
            found.append(f"error: {params['exceptionDetails'].get('exception', {}).get('description')}")
        elif method == "Log.entryAdded":
            found.append(f"log: {params['entry']['text']}")
        elif method == "Page.javascriptDialogOpening":
            found.append(f"dialog: {params['message']}")
        elif method == "Network.requestWillBeSent":
            asked = params["request"]["url"]
            if asked != url and not asked.startswith("data:"):
                found.append(f"request: {asked}")
    return found


def look_at(browser, url, screen, scheme, screenshots):
    width, height = SCREENS[screen]
    browser.events.clear()
    phone = screen == "phone"
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
    browser.call("Page.navigate", url=url)
    browser.wait_for("Page.loadEventFired")
    # As tall as its content, or as a screenshot may be; charts below that come into view one by one.
    tall = min(browser.evaluate("document.documentElement.scrollHeight") + 400, 16000)
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=tall, deviceScaleFactor=1, mobile=phone)
    browser.evaluate(SCROLL)
    seen = browser.evaluate(LOOK)
    if screenshots:
        clip = {"x": 0, "y": 0, "width": width, "height": min(seen["height"], 16000), "scale": 1}
        shot = browser.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        (screenshots / f"{screen}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    found = complaints_of(browser.events, url)
    if seen["scroll"] > 0:
        found.append(f"{seen['scroll']} px wider than the screen: {seen['wide']}")
    if seen["small"]:
        found.append(f"text below 11 px in {seen['small']}")
    if seen["blank"]:
        found.append(f"{seen['blank']} of {seen['charts']} charts are blank")
    print(f"{screen} {scheme}: {seen['charts']} charts, {seen['height']} px tall; "
          + ("nothing wrong" if not found else "; ".join(found)))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path)
    options = parser.parse_args()
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    url = options.page.resolve().as_uri()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(f"{domain}.enable")
            found = [complaint for screen in SCREENS for scheme in ("light", "dark")
                     for complaint in look_at(browser, url, screen, scheme, options.screenshots)]
            if options.screenshots:
                pdf = browser.call("Page.printToPDF", printBackground=False)
                (options.screenshots / "print.pdf").write_bytes(base64.b64decode(pdf["data"]))
        finally:
            browser.close()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
