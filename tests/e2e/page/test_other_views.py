"""Keys, width, themes, patterns, saved views, the platform."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.page.conftest import shown

pytestmark = pytest.mark.timed  # a browser shows things when it comes to it

PLACES = ("#logs", "#logs?q=level:error", "#patterns", "#patterns?sort=odd", "#ask", "#platform", "#logs?q=level:loud")
# WCAG 2: contrast of the text of an element with what lies behind it.
CONTRAST = """
(selector) => {
  const light = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    const even = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const linear = parts.slice(0, 3).map((part) => even(part / 255));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility()).map((node) => {
    const [text, ground] = [light(getComputedStyle(node).color), light(behind(node))];
    return [node.className || node.tagName, (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)];
  });
}
"""


def settled(page: Page) -> None:
    page.wait_for_load_state("networkidle") if "platform" not in page.url else page.locator("#platform .tile").first.wait_for()


def test_the_page_is_used_from_the_keyboard(visit) -> None:
    page = visit()
    expect(page.locator("#query")).to_be_focused()
    page.locator("#lines .line").first.wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator("#lines .line").nth(1)).to_have_class(re.compile("selected"))
    page.keyboard.press("Enter")
    expect(page.locator("#lines .line").nth(1).locator(".when")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("o")
    expect(page.locator(".entry")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.type("j?t")
    expect(page.locator("#query")).to_have_value("j?t")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next line, line before")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("t")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    expect(page.locator("#patterns table")).to_be_visible()


def test_every_control_has_a_name_and_shows_that_it_has_the_focus(visit) -> None:
    page = visit()
    page.locator("#facets section").first.wait_for()
    page.locator("#lines .line").first.click()
    nameless = page.evaluate("""[...document.querySelectorAll("button, input, select, a[href]")].filter((node) =>
        !(node.innerText || node.getAttribute("aria-label") || node.labels?.length)).map((node) => node.outerHTML)""")
    assert nameless == []
    page.locator("#query").press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window_and_every_text_stands_out(browser, shop, theme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    for place in PLACES:
        page.goto(f"{shop.api}/{place}")
        page.wait_for_selector("html[data-started]")
        settled(page)
        if place == "#logs?q=level:error":
            page.locator("#lines .line").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        texts = ".level, .dim, .app, .message, .when, .count, button, a, h2, h3, dt, dd, .tag, .example, .mask, th, p"
        faint = {(name, round(ratio, 2)) for name, ratio in page.evaluate(CONTRAST, texts) if ratio < 4.5}
        assert not faint, f"{place}: {faint}"
    context.close()


def test_the_theme_follows_the_system_until_it_is_chosen(context: BrowserContext, visit) -> None:
    page = visit()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.emulate_media(color_scheme="light")
    page.click("#theme")
    assert page.evaluate(ground) == dark
    page.reload()
    assert page.evaluate(ground) == dark
    page.click("#theme")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == light


def test_patterns_are_listed_with_a_sparkline_and_lead_to_their_lines(visit) -> None:
    page = visit("#patterns")
    row = page.locator("#patterns tbody tr").first
    expect(row.locator("svg.spark rect").first).to_be_attached()
    number = int(row.locator(".number span").get_attribute("title").replace(",", ""))
    row.locator("a.pattern").click()
    expect(page.locator("#histogram .readout b")).to_contain_text(re.compile(r"\d lines"))
    assert shown(page)["q"].startswith("pattern_id:")
    found = int(page.locator("#histogram .readout b").inner_text().split()[0].replace(",", ""))
    assert abs(found - number) <= number * 0.05 + 5
    for name in ("Rare", "New", "Anomalies"):
        page.goto(page.url.split("#")[0] + "#patterns")
        page.get_by_role("button", name=name).click()
        expect(page.locator("#patterns .waiting")).to_have_count(0)
        expect(page.locator("#patterns [role=alert]")).to_have_count(0)


def test_a_view_is_saved_under_a_name_and_opened_again(visit) -> None:
    page = visit("#logs?q=level:error&from=-6h")
    page.click("#views")
    page.get_by_label("name of the view").fill("errors <b>of late</b>")
    page.get_by_role("button", name="Save", exact=True).click()
    page.keyboard.press("Escape")
    page.goto(page.url.split("#")[0])
    page.click("#views")
    page.get_by_role("link", name="errors <b>of late</b>").click()
    expect(page.locator("#query")).to_have_value("level:error")
    expect(page.locator("#range-text")).to_have_text("Last 6 hours")
    page.click("#views")
    page.get_by_role("button", name="forget errors").click()
    expect(page.locator("#views-panel")).to_contain_text("None yet")


def test_the_platform_shows_that_every_line_is_accounted_for(visit, shop) -> None:
    page = visit("#platform")
    expect(page.locator("#platform")).to_contain_text("Every accepted line is accounted for")
    expect(page.locator("#platform")).to_contain_text("Ready. Durability: durable")
    expect(page.locator("#platform")).to_contain_text("None: all that was accepted could be stored")
    stored = page.locator("#platform table.figures tbody td").nth(1).inner_text()
    assert int(stored.replace(",", "")) == shop.get("/api/ledger")["stored"]
