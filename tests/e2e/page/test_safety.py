"""Logs are strangers' text: 200 payloads in every field run nothing, and the browser itself would refuse to run them."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.page.payloads import hostile, payloads
from tests.patience import soon

FILES = sorted((Path(__file__).parents[3] / "src" / "zero" / "interfaces" / "api" / "static" / "page").iterdir())
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|createContextualFragment|DOMParser|setHTML|"
    r"setTimeout\(\s*[\"'`]|\.srcdoc|\.action\b|javascript:|createPolicy|import\("
)
# What a payload would leave in the page if it had become markup.
FOREIGN = """() => [...document.querySelectorAll(
    "script, iframe, object, embed, img, video, audio, base, form[action], style, template, math, portal, marquee," +
    "[style*=url], [id^=ran]"
)]
  .filter((node) => !/^ran[a-z]/.test(node.id))
  .filter((node) => !/^\\/assets\\/[0-9a-f]{16}\\/main\\.js$/.test(node.getAttribute("src") ?? ""))
  .map((node) => node.outerHTML)"""
HANDLERS = """() => [...document.querySelectorAll("*")]
  .filter((node) => [...node.attributes].some(({name, value}) => name.startsWith("on")
    || (/^\\s*(javascript|data):/i.test(value) && /^(href|src|action|formaction|data)$/.test(name))))
  .map((node) => node.outerHTML)"""
WATCH = """
  window.log = [];
  window.ran = (number) => window.log.push(`ran ${number}`);
  const violated = (event) => window.log.push(`${event.violatedDirective} ${event.blockedURI}`);
  document.addEventListener("securitypolicyviolation", violated);
"""


class Watch:
    """Everything that would show that a payload became more than text."""

    def __init__(self, page: Page) -> None:
        self.page, self.seen = page, []
        page.add_init_script(WATCH)
        page.on("dialog", lambda dialog: (self.seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.seen.append(request.url) if "/ran-" in request.url else None)
        page.on("popup", lambda popup: self.seen.append(f"popup {popup.url}"))

    def found(self) -> list[str]:
        return self.seen + self.page.evaluate("window.log") + self.page.evaluate(FOREIGN) + self.page.evaluate(HANDLERS)


@pytest.fixture
def hostile_shop(shop):
    """The shop, with the payloads in its logs."""
    made = [hostile(number, payload) for number, payload in enumerate(payloads())]
    if shop.get("/api/logs?q=mark:hostile&limit=1")["logs"] == []:
        shop.send(made)
        soon(lambda: len(shop.get("/api/logs?q=mark:hostile&limit=300")["logs"]) == len(made))
    soon(lambda: len(shop.get("/api/patterns?q=mark:hostile&limit=300")["patterns"]) > 20, "their patterns are not listed")
    return shop


def test_two_hundred_payloads_in_every_field_run_nothing(page: Page, visit: Callable[[str], Page], hostile_shop) -> None:
    watch = Watch(page)
    visit("#logs?q=mark:hostile&from=all")
    expect(page.locator("#lines .line").nth(99)).to_be_attached()
    page.locator("#lines .foot").scroll_into_view_if_needed()
    expect(page.locator("#lines .line")).to_have_count(200)
    page.locator("#lines .when").evaluate_all("nodes => nodes.forEach((node) => node.click())")
    expect(page.locator(".entry")).to_have_count(200)
    expect(page.locator("#facets section").first).to_be_visible()
    assert page.locator(".entry .whole").first.inner_text() in page.locator("#lines").inner_text()
    texts = set(page.locator(".whole").evaluate_all("nodes => nodes.map((node) => node.textContent)"))
    assert sum(payload in texts for payload in payloads()) >= 180  # the others have characters that are shown as names
    assert watch.found() == []


@pytest.mark.parametrize(
    "place",
    [
        "#patterns?q=mark:hostile",
        "#patterns?sort=new&since=-1h",
        "#patterns?sort=odd",
        "#platform",
        "#ask?q=script%20window%20ran&from=all",
    ],
)
def test_payloads_run_nothing_in_the_other_views(page: Page, visit, hostile_shop, place: str) -> None:
    watch = Watch(page)
    visit(place)
    text = "#platform .apps" if place == "#platform" else "main .pattern"
    expect(page.locator(text).first).to_be_visible()
    assert watch.found() == []


def test_payloads_run_nothing_live_in_completions_in_the_address_and_in_names(page: Page, visit, hostile_shop) -> None:
    watch = Watch(page)
    visit("#logs?q=user_id:live&live=1")
    expect(page.locator("#tail-bar")).to_contain_text("Following")
    hostile_shop.send([hostile(number, payload) | {"user_id": "live"} for number, payload in enumerate(payloads()[:40])])
    expect(page.locator("#lines .line")).to_have_count(40)
    page.locator("#query").fill("")
    for typed in ("app_id:", 'source:"<', "user_id:", "<"):
        page.locator("#query").fill("")
        expect(page.get_by_role("option")).to_have_count(0)
        page.locator("#query").press_sequentially(typed)
        expect(page.get_by_role("option").first).to_be_visible()
        assert watch.found() == []
    for payload in payloads()[:20]:
        spelt = quote(payload, safe="")
        page.evaluate("(place) => { location.hash = place; }", f"#logs?q={spelt}&from={spelt}&to={spelt}")
        page.evaluate("(place) => { location.hash = place; }", f"#{spelt}?sort={spelt}&at={spelt}")
        page.evaluate("(place) => { location.hash = place; }", f"#logs?q={quote('level:(')}{spelt}")
    expect(page.locator("#trouble")).to_be_visible()
    page.evaluate(
        "(name) => localStorage.setItem('zero.views', JSON.stringify([{name, hash: '#' + name}, {name, hash: name}]))",
        payloads()[3],
    )
    page.click("#views")
    expect(page.locator("#views-panel a")).to_have_count(1)
    assert watch.found() == []


def test_the_watch_sees_payloads_that_become_markup(browser, hostile_shop) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    watch = Watch(page)
    page.goto(f"{hostile_shop.api}/api/logs?limit=1")
    page.evaluate(
        """(texts) => texts.forEach((text) => {
            document.body.append(Object.assign(document.createElement('p'), {innerHTML: text}));
        })""",
        payloads()[:50],
    )
    soon(lambda: page.evaluate("window.log.length") > 3)
    found = watch.found()
    assert len([one for one in found if one.startswith("ran ")]) > 3
    assert any("/ran-" in one for one in found)
    assert any("<iframe" in one for one in found)
    context.close()


def test_the_browser_refuses_what_the_page_never_does(context: BrowserContext, shop) -> None:
    page = context.new_page()
    watch = Watch(page)
    page.goto(shop.api)
    page.locator("#lines .line").first.wait_for()
    for attempt in (
        "document.body.innerHTML = '<img src=x>'",
        "document.createElement('script').text = 'ran(1)'",
        "trustedTypes.createPolicy('default', {createHTML: (text) => text})",
    ):
        assert (
            page.evaluate(f"(() => {{ try {{ {attempt}; return 'done'; }} catch (error) {{ return error.name; }} }})()")
            == "TypeError"
        )
    page.evaluate(
        """() => {
            const node = document.createElement('p');
            node.setAttribute('style', 'color: red');
            document.body.append(node);
        }"""
    )
    soon(lambda: any("style-src" in one for one in page.evaluate("window.log")))
    assert not watch.seen


def test_unseen_characters_of_a_line_are_shown(page: Page, visit, shop) -> None:
    text = "pay\u202etxt.exe \x1b[2J \u200bzero\x00 \u2066x \U000e0041 e\u0301 👩\u200d👧"
    shop.send([{"app_id": "unseen", "message": text}])
    soon(lambda: shop.get("/api/logs?app_id=unseen")["logs"])
    visit("#logs?q=app_id:unseen")
    shown = page.locator("#lines .message").first.inner_text()
    assert shown == "payU+202Etxt.exe ␛[2J U+200Bzero␀ U+2066x U+E0041 e\u0301 👩\u200d👧"


def test_the_page_carries_a_policy_and_files_that_may_be_kept(context: BrowserContext, shop) -> None:
    answer = context.request.get(shop.api)
    policy = answer.headers["content-security-policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert rules["require-trusted-types-for"] == "'script'" and rules["frame-ancestors"] == "'none'"
    assert answer.headers["cache-control"] == "no-store"
    assets = re.findall(r'(?:href|src)="(/assets/[^"]+)"', answer.text())
    assert {Path(asset).name for asset in assets} == {path.name for path in FILES} - {"index.html"}
    for asset in assets:
        file = context.request.get(shop.api + asset)
        assert file.status == 200 and "immutable" in file.headers["cache-control"]
        assert file.headers["x-content-type-options"] == "nosniff"
    other = re.sub(r"/[0-9a-f]{16}/", "/0123456789abcdef/", assets[0])
    assert context.request.get(shop.api + other).status == 404


def test_the_page_never_turns_text_into_markup_and_loads_nothing_from_elsewhere() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert not SINKS.search(text), f"{path.name}: {SINKS.search(text)}"
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path.name
        assert not re.search(r"<[^>]*\s(?:on\w+|style)=", text) or path.suffix == ".js", path.name
        assert len(text.splitlines()) <= 400, path.name
