"""What the page says when there is nothing to show, and what to do next."""

import pytest
from playwright.sync_api import Page, expect

from zero.application.keys import KeyRequest
from zero.domain.errors import QueryTooExpensive, StoreUnavailable
from zero.domain.key import KeyScope

pytestmark = pytest.mark.timed  # a browser shows things when it comes to it


def test_without_any_log_it_says_how_to_send_one_and_shows_it_when_it_comes(page: Page, served) -> None:
    page.goto(served.url)
    expect(page.get_by_role("heading", name="No logs yet")).to_be_visible()
    page.locator(".snippet button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('curl --json \'{"app_id"') and copied.endswith(":4318/api/logs")
    served.store("the first of many", -1)
    expect(page.locator("#lines .message")).to_have_text("the first of many")
    expect(page.locator("#histogram")).to_be_visible()


def test_where_nothing_matches_it_offers_wider_searches(page: Page, served) -> None:
    served.store("an old line", -3 * 86_400)
    page.goto(f"{served.url}/#logs?q=old")
    expect(page.get_by_role("heading", name="No lines found")).to_be_visible()
    page.get_by_role("button", name="Search all time").click()
    expect(page.locator("#lines .message")).to_have_text("an old line")


def test_a_key_is_asked_for_kept_for_the_tab_and_sent_along(page: Page, served) -> None:
    served.store("a line of the default tenant")
    made = served.do(served.key_admin.create(KeyRequest("default", frozenset({KeyScope.QUERY})), "test"))
    served.do(served.keys.refresh())
    page.goto(served.url)
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    page.get_by_label("API key").last.fill("zero_nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    page.get_by_label("API key").last.fill(made.text)
    page.keyboard.press("Enter")
    expect(page.locator("#lines .message")).to_have_text("a line of the default tenant")
    page.reload()
    expect(page.locator("#lines .message")).to_have_text("a line of the default tenant")
    page.click("#live")
    expect(page.locator("#tail-bar")).to_contain_text("Following")
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    page.goto(f"{served.url}/#platform")
    expect(page.locator("#platform")).to_contain_text("They are for keys with the scope admin")


def test_a_store_that_is_away_is_said_and_asked_again_until_it_is_back(page: Page, served) -> None:
    served.store("still here")
    served.reader.failure = StoreUnavailable("the store is away")
    page.goto(served.url)
    expect(page.get_by_role("alert")).to_contain_text("The store does not answer")
    expect(page.get_by_role("alert")).to_contain_text("the store is away")
    served.reader.failure = None
    expect(page.locator("#lines .message")).to_have_text("still here")


def test_a_search_that_is_too_expensive_says_how_to_go_on(page: Page, served) -> None:
    served.reader.failure = QueryTooExpensive("the search passes a limit")
    page.goto(f"{served.url}/#logs?q=x")
    expect(page.get_by_role("alert")).to_contain_text("Narrow the time range")
    served.reader.failure = None
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="No lines found")).to_be_visible()


def test_an_api_that_is_gone_is_said(page: Page, served) -> None:
    served.store("a line")
    page.goto(served.url)
    expect(page.locator("#lines .message")).to_have_text("a line")
    page.context.set_offline(True)
    page.fill("#query", "other")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").last).to_contain_text("No answer from the api")
    page.context.set_offline(False)
