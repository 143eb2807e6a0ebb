"""What the page does in the small, over an api in memory."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import zero.interfaces.api
from tests.e2e.page.conftest import ServedApi, shown
from zero.domain.query_fields import ALIASES, QUERY_FIELDS

pytestmark = pytest.mark.timed  # a browser shows things when it comes to it

HOUR = 3600
# What is typed, and Tab before anything could be offered for it: in one turn, faster than any hand.
TYPED_WITH_TAB = """([at, text]) => {
  const input = document.getElementById("query");
  input.setRangeText(text, at, at, "end");
  input.dispatchEvent(new InputEvent("input", { bubbles: true }));
  input.dispatchEvent(new KeyboardEvent("keydown", { key: "Tab", bubbles: true, cancelable: true }));
}"""
# The page looks again after milliseconds in place of seconds.
HASTE = "const wait = setTimeout; window.setTimeout = (work, ms, ...more) => wait(work, ms / 30, ...more);"


def visit(page: Page, served: ServedApi, place: str = "") -> None:
    page.goto(f"{served.url}/{place}")
    page.wait_for_selector("html[data-started]")


def test_a_line_stands_among_its_neighbours_though_all_of_its_batch_share_one_timestamp(page: Page, served) -> None:
    stored = [served.store(f"line {number}", -60, number, app_id="batch") for number in range(300)]
    visit(page, served, f"#logs?q=id:{stored[100].id}&from=all")
    page.locator("#lines .line").click()
    page.get_by_role("button", name="Show around this line").click()
    expect(page.locator("#around .line.this .message")).to_have_text("line 100")
    assert page.locator("#around .line .message").all_inner_texts() == [f"line {number}" for number in range(125, 74, -1)]


def test_what_was_offered_for_another_text_is_not_accepted(page: Page, served) -> None:
    served.store("a line")
    visit(page, served)
    for text, at, typed, wanted in (("lev", 3, "e", "leve"), ("app", 0, "x ", "x app")):
        page.fill("#query", "")
        page.locator("#query").press_sequentially(text)
        expect(page.get_by_role("option")).to_have_count(1)
        page.evaluate(TYPED_WITH_TAB, [at, typed])
        expect(page.locator("#query")).to_have_value(wanted)


def test_a_value_of_a_key_that_is_named_like_a_field_is_put_into_the_query_as_metadata(page: Page, served) -> None:
    names = ("message", "env")
    served.store("a line", metadata=dict.fromkeys(names, "of the key") | {"plain": "x"})
    for name in (*names, "plain"):
        visit(page, served, "#logs?from=all")
        page.locator("#lines .line").click()
        page.locator(".entry .key").get_by_role("button", name=f"only this {name}", exact=True).click()
        wanted = "plain:x" if name == "plain" else f'metadata.{name}:"of the key"'
        expect(page.locator("#query")).to_have_value(wanted)
        expect(page.locator("#lines .line")).to_have_count(1)
        expect(page.locator("#lines")).not_to_have_class("waiting")


def test_the_page_knows_every_name_that_a_query_takes_for_something_else() -> None:
    script = (Path(zero.interfaces.api.__file__).parent / "static/page/terms.js").read_text(encoding="utf-8")
    listed = script[script.index("TAKEN = new Set([") : script.index("]);")]
    assert set(re.findall(r'"([^"]+)"', listed)) == {*QUERY_FIELDS, *ALIASES, "_exists_"}


def test_who_has_the_focus_on_pause_keeps_it_while_lines_arrive(page: Page, served) -> None:
    visit(page, served, "#logs?live=1")
    expect(page.locator("#tail-bar")).to_contain_text("Following")
    page.locator("#pause").focus()
    served.store("arrived")
    expect(page.locator("#tail-bar")).to_contain_text("1 lines so far")
    expect(page.locator("#pause")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#tail-bar")).to_contain_text("Paused")
    expect(page.locator("#pause")).to_be_focused()


def test_who_has_the_focus_on_an_app_keeps_it_while_the_numbers_change(page: Page, served) -> None:
    served.store("first", app_id="shop")
    page.add_init_script(HASTE)
    visit(page, served, "#platform")
    page.get_by_role("link", name="shop").focus()
    for number in range(2):
        served.store("later", number, number, app_id="bank")
    expect(page.locator("#platform .apps .number")).to_have_text(["1", "2"])
    expect(page.get_by_role("link", name="shop")).to_be_focused()


def test_times_that_make_no_range_are_said_and_another_range_is_offered(page: Page, served) -> None:
    served.store("a line")
    visit(page, served, "#logs?from=-1h&to=-2h")
    expect(page.get_by_role("heading", name="The time range cannot be read")).to_be_visible()
    expect(page.locator("#lines")).to_contain_text("from lies after to")
    expect(page.locator("#trouble")).to_be_hidden()
    visit(page, served, "#logs?from=garbage")
    page.get_by_role("button", name="Choose a time range").click()
    page.get_by_role("button", name="All time").first.click()
    expect(page.locator("#lines .line")).to_have_count(1)


def test_how_to_write_a_query_is_shown_beside_the_one_that_is_mended(page: Page, served) -> None:
    visit(page, served, "#logs?q=level:loud&from=-6h")
    page.get_by_role("button", name="How to write one").click()
    expect(page.get_by_role("dialog")).to_contain_text("Queries")
    page.keyboard.press("Escape")
    expect(page.locator("#query")).to_have_value("level:loud")
    assert shown(page) == {"q": "level:loud", "from": "-6h"}


def test_an_old_line_closes_with_escape_is_copied_without_the_key_and_leads_to_its_pattern(page: Page, served) -> None:
    served.store("an old line", -72 * HOUR)
    visit(page, served, "#logs?q=old&from=all")
    page.evaluate("sessionStorage.setItem('zero.key', 'zero_secret')")
    page.locator("#lines .line").click()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator(".entry")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert '-H "X-API-Key: $ZERO_API_KEY"' in copied and "secret" not in copied
    page.evaluate("sessionStorage.clear()")
    page.keyboard.press("Escape")
    expect(page.locator(".entry")).to_have_count(0)
    expect(page.locator("#lines .when")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Show this pattern").click()
    expect(page.locator("#query")).to_have_value(re.compile("pattern_id:"))
    expect(page.locator("#lines .message")).to_have_text(["an old line"])


def test_anomalies_are_named_filtered_in_sight_and_told_from_a_missing_history(page: Page, served) -> None:
    for number in range(50):
        served.store("tick", -60, number)
    visit(page, served, "#patterns?sort=odd&q=tick")
    expect(page.get_by_role("heading", name="Nothing to compare with")).to_be_visible()
    expect(page.locator("#patterns").get_by_label("filter")).to_have_value("tick")
    for hour in range(1, 12):
        served.store("tick", -hour * HOUR - 60)
    page.locator("#patterns").get_by_label("about").fill("")
    page.keyboard.press("Enter")
    expect(page.locator("#patterns .kind")).to_have_text(["More than usual"])
    page.locator("#patterns").get_by_label("time range").select_option("Last 6 hours")
    expect(page.locator("#patterns")).not_to_contain_text("Nothing to compare with")
    assert shown(page)["from"] == "-6h"


def test_patterns_are_those_of_the_chosen_time(page: Page, served) -> None:
    served.store("early", -5 * HOUR)
    served.store("late", -60)
    visit(page, served, "#patterns?from=-6h&to=-2h")
    expect(page.locator("#patterns .pattern")).to_have_text(["early"])
    expect(page.locator("#patterns").get_by_label("time range")).to_have_value("chosen")
    page.locator("#patterns").get_by_label("time range").select_option("Last 24 hours")
    expect(page.locator("#patterns .pattern")).to_have_count(2)
