"""What every command says of itself."""

import click
import pytest
from click.testing import CliRunner

from zero.cli import cli, main


def groups() -> list[list[str]]:
    """Return the words that lead to every group of commands."""
    context = click.Context(cli)
    nested = [name for name in cli.list_commands(context) if isinstance(cli.get_command(context, name), click.Group)]
    return [[], *([name] for name in nested)]


@pytest.mark.parametrize("group", groups(), ids=lambda words: " ".join(words) or "zero")
def test_the_first_sentence_of_every_command_fits_into_the_list(group: list[str]) -> None:
    listed = CliRunner().invoke(cli, [*group, "--help"], terminal_width=80).output.partition("Commands:")[2].splitlines()
    assert len(listed) > 1
    assert [line for line in listed if line.endswith("...")] == []


def test_a_flag_of_a_setting_says_its_default_and_what_it_can_be() -> None:
    told = " ".join(CliRunner().invoke(cli, ["up", "--help"]).output.split())
    assert "each with one writer. 1 to 256. [ZERO_SHARDS; default: 1]" in told
    assert "One of debug, info, warning, error. [ZERO_LOG_LEVEL; default: info]" in told


def test_output_that_cannot_be_written_is_said_without_a_traceback(monkeypatch, capsys) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zero.cli.cli", full)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "zero: cannot write: No space left on device\n"


def test_a_data_folder_that_is_a_file_is_named(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["zero", "certs", "--data-dir", str(tmp_path / "file")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 78
    assert f"cannot make certificates in {tmp_path}/file/tls" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["bench", "peer", "127.0.0.1:9200", "--protocol", "bulk"], 2, "is not one such as http://127.0.0.1:9200"),
        (["torture", "--shrink", "FILE"], 1, "cannot be replayed"),
    ],
)
def test_what_cannot_be_measured_or_replayed_is_named(tmp_path, words: list[str], code: int, said: str) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"message": "no result"}\n')
    found = CliRunner().invoke(cli, [str(file) if word == "FILE" else word for word in words])
    assert (found.exit_code, said in found.output) == (code, True), found.output
