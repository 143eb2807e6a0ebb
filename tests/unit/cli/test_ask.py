"""``zero ask`` against the api over HTTP, its store in memory."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from tests.unit.cli.test_search import Served
from zero.cli.ask import ask
from zero.domain.entry import Level


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served()
    for index, (app, level, message) in enumerate(
        [
            ("sshd", "INFO", "Failed password for root"),
            ("shop", "ERROR", "payment timed out"),
            ("shop", "INFO", "order shipped"),
        ]
    ):
        served.store(message, index=index, app_id=app, level=Level[level])
    yield served
    served.close()


def run(served: Served, *arguments: str) -> Result:
    return CliRunner(env={"ZERO_API": f"127.0.0.1:{served.port}"}).invoke(ask, list(arguments))


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "text"])
@pytest.mark.parametrize("form", [[], ["--patterns"]])
def test_filters_and_limit_apply_in_every_mode(served: Served, mode: str, form: list[str]) -> None:
    def found(*filters: str) -> list[str]:
        answer = run(served, "--json", "--mode", mode, *form, *filters, 'who failed to log in, or "paid" (too: late)?')
        assert answer.exit_code in (0, 1), answer.output
        return [json.loads(line)["example" if form else "message"] for line in answer.stdout.splitlines()]

    assert "Failed password for root" in found()
    assert found("--app", "shop", "--level", "error", "--from", "-1d", "--limit", "1") == ["payment timed out"]
    assert found("--app-id", "nosuch") == found("--to", "-1d") == []


def test_a_question_that_finds_nothing_says_what_to_try(served: Served) -> None:
    answer = run(served, "--mode", "text", "zebra")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "other words" in answer.stderr
    assert run(served, "--json", "--mode", "text", "zebra").stderr == ""


@pytest.mark.parametrize("question", ["", "  ", "😀🔥", "12345 ?!", "a" * 10_000, "x " * 5_000])
@pytest.mark.parametrize("mode", ["hybrid", "text"])
def test_what_is_no_question_is_refused_in_one_line(served: Served, question: str, mode: str) -> None:
    answer = run(served, "--mode", mode, question)
    assert answer.exit_code == 2
    assert len(answer.stderr.splitlines()) == 1 and len(answer.stderr) < 100
    if question == "12345 ?!":
        assert "digits do not count" in answer.stderr and answer.stderr.endswith(": zero search 12345\n")


@pytest.mark.parametrize("question", ["the of and", "密码 错误", "falsches Passwort", "ошибка входа", "password 😀"])
def test_any_words_are_a_question(served: Served, question: str) -> None:
    assert run(served, question).exit_code in (0, 1)


@pytest.mark.parametrize(
    "wrong", [["--limit", "0"], ["--limit", "1001"], ["--mode", "x"], ["--level", "x"], ["--from", "now", "--to", "-1h"]]
)
def test_a_wrong_option_is_named(served: Served, wrong: list[str]) -> None:
    answer = run(served, "failed", *wrong)
    assert answer.exit_code == 2 and answer.stderr
