"""The client runs where applications run: on Python 3.9, alone."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[3] / "src" / "zero" / "client"
OLDEST = (3, 9)
PROGRAM = """
import logging, sys
sys.path.insert(0, sys.argv[1])
import zero.client, zero.client.records, zero.client.uploader
handler = zero.client.ZeroHandler(url=sys.argv[2], app_id="shop", exit_seconds_max=30)
logging.getLogger().addHandler(handler)
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("on %s", sys.version_info[:2], extra={"a": {"b": [1]}})
zero.client.Sender(url=sys.argv[2]).send("by the sender", sku=1)
strangers = {name.split(".")[0] for name in sys.modules if getattr(sys.modules[name], "__file__", None)}
print(*sorted(strangers & {"click", "rich", "redis", "orjson", "structlog", "loguru", "typing_extensions"}))
print(*sorted(name for name in sys.modules if name.startswith("zero.") and not name.startswith("zero.client")))
"""


def oldest_python():
    found = [Path(shutil.which(f"python3.{OLDEST[1]}") or "/nonexistent")]
    found += sorted((Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("3.9.*/bin/python"))
    for path in found:
        if path.exists() and not subprocess.run([path, "-c", ""], capture_output=True, timeout=60).returncode:
            return path
    return None


@pytest.mark.parametrize("path", sorted(CLIENT.rglob("*.py")), ids=lambda path: path.name)
def test_the_syntax_is_that_of_the_oldest_python(path):
    tree = ast.parse(path.read_text(), feature_version=OLDEST)
    assert not [node for node in ast.walk(tree) if type(node).__name__ in ("Match", "TryStar", "TypeAlias")]
    lazy = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    assert lazy or not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AnnAssign)]
    newer = {"strict", "slots", "kw_only"}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [f"{path.name}:{call.lineno}" for call in calls if newer & {keyword.arg for keyword in call.keywords}]


@pytest.mark.parametrize("python", [sys.executable, oldest_python()], ids=["this", "oldest"])
def test_copied_into_an_application_it_works_alone(python, door, tmp_path):
    if python is None:
        pytest.skip("no Python 3.9 on this machine")
    shutil.copytree(CLIENT, tmp_path / "zero" / "client")
    command = [python, "-S", "-E", "-W", "error", "-c", PROGRAM, tmp_path, door.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
    entries = {entry["message"]: entry for entry in door.entries()}
    assert len(entries) == 2
    assert entries["by the sender"]["metadata"] == {"sku": 1}
    (first,) = (entry for message, entry in entries.items() if message.startswith("on "))
    assert first["metadata"]["exception"]["type"] == "builtins.ZeroDivisionError"
