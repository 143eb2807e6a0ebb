"""Pictures of the page for the documentation: ``python -m bench.screenshots http://127.0.0.1:8080 --out docs/images``.

The api has to hold the logs of ``bench.sample_logs`` (``--send http://127.0.0.1:4318`` sends them first) and a Chromium has to
be installed.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from bench.sample_logs import sample_logs

LOGS = 40_000
BATCH = 5_000
BYTES_MAX = 200_000
WAIT_MS = 60_000
QUESTION = "someone%20is%20guessing%20passwords%20over%20ssh"
PLACES = {
    "logs": ("#logs", "#facets section"),
    "line": ("#logs?q=level:error%20-app_id:gateway", "#facets section"),
    "patterns": ("#patterns", "#patterns table"),
    "anomalies": ("#patterns?sort=odd", "#patterns table"),
    "ask": (f"#ask?q={QUESTION}", "#ask .lines .line"),
    "question": (f"#logs?q={QUESTION}", "#meaning .match"),
    "platform": ("#platform", "#platform .tile"),
    "empty": ("#logs?q=nothing-has-this-word", ".notice"),
}
SIZES = {"1280": (1280, 700), "400": (400, 800)}


def send(url: str) -> None:
    """Send the sample logs and wait until they can be found."""
    logs = list(sample_logs(LOGS))
    for start in range(0, len(logs), BATCH):
        body = json.dumps(logs[start : start + BATCH]).encode()
        urlopen(Request(f"{url}/api/logs", body, {"Content-Type": "application/json"}), timeout=60).close()


def take(browser: Browser, url: str, out: Path, names: list[str]) -> None:
    """Take every picture in both widths and themes."""
    for theme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            view = {"width": width, "height": height}
            context = browser.new_context(viewport=view, color_scheme=theme, timezone_id="UTC", locale="en-GB")  # type: ignore
            page = context.new_page()
            for name in names:
                picture(page, url, name, out / f"{name}-{size}-{theme}.png")
            context.close()


def picture(page: Page, url: str, name: str, path: Path) -> None:
    """Take one picture, once what it shows is there."""
    place, there = PLACES[name]
    page.goto("about:blank")
    page.goto(f"{url}/{place}")
    page.wait_for_selector(there, timeout=WAIT_MS, state="attached")
    page.evaluate("document.activeElement.blur()")
    if name == "line":
        page.locator("#lines .line").nth(2).click()
        page.locator(".entry").scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    page.screenshot(path=path)
    if path.stat().st_size > BYTES_MAX:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {BYTES_MAX}")
    print(path, path.stat().st_size)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--send", metavar="URL", help="send the sample logs to this ingest door first")
    parser.add_argument("--only", nargs="*", choices=PLACES, default=list(PLACES))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.send:
        send(given.send)
        time.sleep(15)  # patterns are found within seconds after lines are stored
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        take(browser, given.url, given.out, given.only)
        browser.close()


if __name__ == "__main__":
    main()
