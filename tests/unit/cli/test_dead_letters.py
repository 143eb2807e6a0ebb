"""``zero dead-letters`` against the api over HTTP."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from tests.unit.cli.test_search import Served
from zero.application.ports import Append, DeadLetter, Settlement
from zero.cli import cli


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


def listed(served: Served, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["dead-letters", "list", "--url", served.url, *arguments])


async def bury(served: Served, *reasons: str) -> None:
    buffer = served.buffer
    await buffer.append([Append(0, b"frame", "acme", 1) for _ in reasons])
    lease = await buffer.acquire(0, "me")
    assert lease is not None
    found = await buffer.read(lease, len(reasons), 0)
    letters = [DeadLetter(one.position, reason, "acme", 1, b"frame", 7) for one, reason in zip(found, reasons, strict=True)]
    await buffer.settle(lease, Settlement([one.position for one in found], dead_letters=letters))


def test_dead_letters_are_listed_oldest_first_with_their_reason(served: Served) -> None:
    asyncio.run(bury(served, "refused one", "refused \x1b[31mtwo", "refused three"))
    found = listed(served, "--limit", "2")
    assert found.exit_code == 0
    first, second = found.output.splitlines()
    assert first.endswith("acme  entry 7 of its frame, 5 bytes  refused one")
    assert second.endswith("refused [31mtwo")  # without the escape character


def test_a_script_reads_one_object_a_line_across_pages(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zero.cli.dead_letters._PAGE_LETTERS_MAX", 2)
    asyncio.run(bury(served, "a", "b", "c"))
    found = listed(served, "--json")
    assert [json.loads(line)["reason"] for line in found.output.splitlines()] == ["a", "b", "c"]


def test_no_dead_letters_is_no_failure(served: Served) -> None:
    found = listed(served)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "no dead letters\n")
    assert listed(served, "--json").output == ""


def test_an_api_that_does_not_answer_has_an_exit_code_of_its_own() -> None:
    found = CliRunner().invoke(cli, ["dead-letters", "list", "--url", "http://127.0.0.1:1"])
    assert found.exit_code == 3
    assert "no answer from the api" in found.output
