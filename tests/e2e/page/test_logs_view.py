"""Finding lines in the browser."""

import json
import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import LINES, shown

pytestmark = pytest.mark.timed  # a browser shows things when it comes to it


def messages(page: Page) -> list[str]:
    return page.locator("#lines .line .message").all_inner_texts()


def test_the_newest_lines_come_with_a_histogram_and_facets_that_count_them_all(visit, shop) -> None:
    page = visit("#logs?from=all")
    expect(page.locator("#lines .line")).to_have_count(100)
    assert messages(page)[0] == shop.get("/api/logs?limit=1")["logs"][0]["message"]
    expect(page.locator("#histogram .readout")).to_contain_text(re.compile(r"\d,\d{3} lines"))
    expect(page.locator("#facets")).to_contain_text("gateway")
    apps = shop.get("/api/facets?limit=8")["app_id"]
    assert all(str(app["count"]) in page.locator("#facets").inner_text().replace(",", "") for app in apps)
    assert page.locator("#histogram svg[role=img] rect.level-ERROR").count() > 0


def test_a_click_on_a_facet_narrows_the_search_and_back_widens_it_again(visit) -> None:
    page = visit()
    page.get_by_role("button", name=re.compile(r"^sshd, ")).click()
    expect(page.locator("#query")).to_have_value("app_id:sshd")
    expect(page.locator("#lines .app").first).to_have_text("sshd")
    page.locator("#facets").get_by_role("button", name="without INFO").click(force=True)
    expect(page.locator("#query")).to_have_value("app_id:sshd -level:info")
    expect(page.locator("#lines .line.level-INFO")).to_have_count(0)
    page.go_back()
    page.go_back()
    expect(page.locator("#query")).to_have_value("")
    expect(page.locator("#lines .line")).to_have_count(100)


def test_dragging_across_the_histogram_sets_the_range(visit) -> None:
    page = visit()
    page.locator("#histogram svg[role=img]").wait_for()
    box = page.locator("#histogram .plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.60, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 40, steps=4)
    page.mouse.up()
    expect(page.locator("#range-text")).to_contain_text(re.compile(r"\d \W \d"))
    start, end = (datetime.fromisoformat(shown(page)[name]) for name in ("from", "to"))
    assert 0.14 < (end - start).total_seconds() / 86_400 < 0.16
    expect(page.locator("#lines .line").first).to_be_visible()


def test_a_range_is_chosen_from_the_list_or_between_two_moments(visit) -> None:
    page = visit()
    page.click("#range")
    page.get_by_role("button", name="Last 6 hours").click()
    expect(page.locator("#range-text")).to_have_text("Last 6 hours")
    assert shown(page)["from"] == "-6h"
    page.click("#range")
    page.get_by_role("textbox", name="From").fill("2026-01-02T03:04:05")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#range-text")).to_contain_text("Since 2026-01-02 03:04:05")
    page.click("#range")
    page.keyboard.press("Escape")
    expect(page.locator("#range-panel")).to_be_hidden()


def test_names_and_values_complete_the_query_from_the_keyboard(visit) -> None:
    page = visit()
    page.locator("#query").press_sequentially("lev")
    expect(page.get_by_role("option")).to_have_text(["levelfield"])
    page.keyboard.press("Tab")
    expect(page.locator("#query")).to_have_value("level:")
    expect(page.get_by_role("option")).to_have_count(6)
    page.keyboard.type("e")
    expect(page.get_by_role("option")).to_have_text([re.compile(r"^ERROR\d+$")])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("http.st")
    expect(page.get_by_role("option").first).to_contain_text("http.status")
    page.keyboard.press("Tab")
    expect(page.get_by_role("option").first).to_contain_text("200")
    page.keyboard.press("Tab")
    expect(page.locator("#query")).to_have_value("level:ERROR http.status:200 ")
    page.keyboard.press("Enter")
    expect(page.locator("#lines .line").first).to_be_visible()
    assert shown(page)["q"] == "level:ERROR http.status:200"


def test_a_mistake_in_a_query_is_shown_with_a_mark_under_it(visit) -> None:
    page = visit("#logs?q=%F0%9F%92%A5%20level%3Aloud")
    expect(page.locator("#trouble")).to_contain_text("is not a level")
    first, second = page.locator("#trouble pre").inner_text().split("\n")
    assert [*first][second.index("^")] == "l"
    assert first.endswith("loud") and [*first][second.index("^") :] == [*"loud"]
    page.get_by_role("button", name="Search it as plain text").click()
    expect(page.get_by_role("heading", name="No lines found")).to_be_visible()


def test_an_opened_line_shows_every_field_and_leads_on(visit, shop) -> None:
    page = visit("#logs?q=app_id:payment%20level:error")
    page.locator("#lines .line").first.click()
    log = shop.get("/api/logs?q=app_id:payment%20level:error&limit=1")["logs"][0]
    entry = page.locator(".entry")
    for name, value in [*log.items(), *log["metadata"].items()]:
        if isinstance(value, str | int | float) and value != "":
            expect(entry).to_contain_text(name if name != "message" else log["message"])
            expect(entry).to_contain_text(str(value))
    entry.get_by_role("button", name="Copy as JSON").click()
    expect(entry).to_contain_text("Copied")
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == log
    entry.get_by_role("button", name="only this host").click()
    expect(page.locator("#query")).to_have_value(f"app_id:payment level:error host:{log['metadata']['host']}")
    page.go_back()
    expect(page.locator("#query")).to_have_value("app_id:payment level:error")
    expect(page.locator("#lines")).not_to_have_class("waiting")
    page.locator("#lines .line").first.click()
    page.get_by_role("link", name="Its trace").click()
    expect(page.locator("#lines .line")).to_have_count(1)
    assert shown(page)["q"] == f"trace_id:{log['trace_id']}"
    page.locator("#lines .line").first.click()
    page.get_by_role("link", name="Show this pattern").click()
    assert shown(page)["q"] == f"pattern_id:{log['pattern_id']}"
    expect(page.locator("#lines .line")).not_to_have_count(1)
    words = set.intersection(*(set(message.split()) for message in messages(page)))
    assert words & set(log["message"].split())
    page.locator("#lines .line").first.click()
    page.get_by_role("button", name="without this pattern_id").click()
    expect(page.locator("#query")).to_have_value(f"-pattern_id:{log['pattern_id']}")
    expect(page.locator("#lines .message", has_text=" ".join(words))).to_have_count(0)


def test_a_line_is_shown_among_those_before_and_after_it(visit, shop) -> None:
    lines = shop.get("/api/logs?app_id=gateway&limit=300")["logs"]
    wanted = lines[150]
    page = visit(f"#logs?q=id:{wanted['id']}&from=all")
    page.locator("#lines .line").click()
    page.get_by_role("button", name="Show around this line").click()
    expect(page.locator("#around .line.this")).to_have_attribute("data-id", wanted["id"])
    ids = page.locator("#around .line").evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert ids == [line["id"] for line in lines[125:176]]
    page.get_by_role("button", name="Lines of every app").click()
    expect(page.locator("#around .app", has_not_text="gateway").first).to_be_attached()


def test_more_lines_come_with_scrolling_and_none_twice(visit, shop) -> None:
    page = visit("#logs?q=app_id:gateway&from=all")
    wanted = shop.get("/api/logs?app_id=gateway&limit=1000")["logs"]
    assert 300 < len(wanted) < 1000 or len(wanted) == 1000
    for count in (200, 300):
        page.locator("#lines .foot").scroll_into_view_if_needed()
        expect(page.locator("#lines .line").nth(count - 1)).to_be_attached()
    ids = page.locator("#lines .line").evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert ids == [line["id"] for line in wanted[: len(ids)]]


def test_following_shows_what_arrives_and_a_pause_holds_it_back(visit, shop) -> None:
    page = visit("#logs?q=app_id:follow")
    page.click("#live")
    expect(page.locator("#tail-bar")).to_contain_text("Following")
    line = {"app_id": "follow", "message": "arrived first", "timestamp": datetime.now(UTC).isoformat()}
    shop.send([line])
    expect(page.locator("#lines .message").first).to_have_text("arrived first")
    page.get_by_role("button", name="Pause").click()
    shop.send([line | {"message": "arrived second"}])
    expect(page.locator("#tail-bar")).to_contain_text("Paused, 1 new")
    assert messages(page) == ["arrived first"]
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#lines .message")).to_have_text(["arrived second", "arrived first"])
    page.click("#live")
    expect(page.locator("#tail-bar")).to_be_hidden()
    expect(page.locator("#lines .line")).to_have_count(2)


def test_every_view_of_all_time_counts_what_is_stored(visit, shop) -> None:
    page = visit("#logs?from=all")
    expect(page.locator("#histogram .readout b")).to_have_text(re.compile(rf"^{LINES // 1000},\d{{3}} lines$"))
