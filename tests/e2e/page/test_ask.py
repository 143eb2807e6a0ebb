"""Finding lines by what they mean."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.page.conftest import shown
from tests.patience import soon

pytestmark = pytest.mark.timed  # a browser shows things when it comes to it

QUESTION = "someone is guessing passwords over ssh"


def known(shop) -> None:
    """Wait until the patterns of the shop can be found by meaning."""

    def found() -> bool:
        patterns = shop.ask("/api/patterns/search", {"query": QUESTION, "limit": 5})["patterns"]
        return any("Failed password" in one["pattern"] and one["why"]["nearness"] > 0 for one in patterns)

    soon(found, "the patterns have no vectors")


def test_a_newcomer_finds_who_is_guessing_passwords_in_two_actions(visit, shop) -> None:
    known(shop)
    page = visit()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    match = page.locator("#meaning .match", has_text="Failed password").first
    expect(match).to_contain_text(re.compile(r"score \d\.\d\d"))
    expect(match).to_contain_text(re.compile(r"Why: .*password"))
    expect(page.locator("#lines .message", has_text="Failed password").first).to_be_visible()
    match.locator("a.pattern").click()
    expect(page.locator("#lines .message", has_not_text="Failed password")).to_have_count(0)
    expect(page.locator("#lines .message").first).to_contain_text("Failed password")


def test_a_question_is_answered_with_patterns_and_their_newest_lines_in_every_mode(visit, shop) -> None:
    known(shop)
    page = visit("#ask")
    page.get_by_label("question in plain words").fill(QUESTION)
    page.keyboard.press("Enter")
    for mode in ("hybrid", "semantic", "text"):
        page.get_by_label("how to search").select_option(mode)
        expect(page.locator("#ask .match", has_text="Failed password").first).to_be_visible()
    assert shown(page) == {"q": QUESTION, "mode": "text"}
    page.go_back()
    expect(page.locator("#ask .lines .message", has_text="sword").first).to_be_visible()


def test_words_that_lines_have_are_found_beside_what_they_mean(visit, shop) -> None:
    known(shop)
    page = visit("#logs?q=password%20for%20invalid%20user")
    expect(page.locator("#lines .message").first).to_contain_text("Failed password for invalid user")
    expect(page.locator("#lines mark").first).to_be_visible()
    expect(page.locator("#meaning .match").first).to_be_visible()
    expect(page.locator("#histogram svg[role=img]")).to_be_visible()
