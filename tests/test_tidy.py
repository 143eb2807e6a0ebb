"""The house rules that a linter does not know."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "zero"
MODULES = sorted(SOURCE.rglob("*.py"))
NATIVE = sorted(path for kind in ("*.cpp", "*.hpp") for path in (ROOT / "native").rglob(kind))

FUNCTION_LINES_MAX, MODULE_LINES_MAX, PARAMETERS_MAX = 50, 400, 6
EXCEPTIONS: dict[str, str] = {}
"""``path`` or ``path:function`` → why it may be longer. This list only shrinks."""


def name_of(path):
    return str(path.relative_to(ROOT))


def functions(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(path):
    """Yield the absolute name of every module that the file imports, wherever it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import"
            yield node.module


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("domain", ("zero.domain",)), ("application", ("zero.domain", "zero.application")), ("client", ("zero.client",))],
)
def test_the_core_and_the_client_import_only_the_standard_library_and_what_lies_within(package, allowed):
    strangers = {
        f"{name_of(path)}: {name}"
        for path in (SOURCE / package).rglob("*.py")
        for name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(allowed)
    }
    assert not strangers


def test_only_the_python_face_of_the_core_imports_the_native_module():
    face = SOURCE / "infrastructure" / "native" / "codec.py"
    users = {
        path
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and "_core" in {alias.name for alias in node.names}
    }
    assert users == {face}


def test_no_function_is_longer_than_a_page():
    long = {
        f"{name_of(path)}:{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in MODULES
        for node in functions(path)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX and f"{name_of(path)}:{node.name}" not in EXCEPTIONS
    }
    assert not long


def test_no_function_takes_more_parameters_than_one_can_hold_in_mind():
    wide = set()
    for path in MODULES:
        for node in functions(path):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([argument for argument in arguments if argument.arg not in ("self", "cls")])
            if count > PARAMETERS_MAX and f"{name_of(path)}:{node.name}" not in EXCEPTIONS:
                wide.add(f"{name_of(path)}:{node.name} takes {count}")
    assert not wide


def test_no_module_is_longer_than_one_room():
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in [*MODULES, *NATIVE]}
    assert not {name: count for name, count in lines.items() if count > MODULE_LINES_MAX and name not in EXCEPTIONS}


def test_every_exception_still_exists():
    present = {name_of(path) for path in [*MODULES, *NATIVE]}
    assert all(name.split(":")[0] in present and reason for name, reason in EXCEPTIONS.items())


def test_no_module_is_a_drawer_for_odds_and_ends():
    words = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
    assert not [name_of(path) for path in [*MODULES, *NATIVE] if words & set(path.stem.split("_"))]


CHOICES = ("TYPE_CHECKING", "__name__ == '__main__'", "sys.version_info")


def test_nothing_happens_on_import():
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    loud = set()
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            choice = isinstance(node, ast.If) and ast.unparse(node.test).startswith(CHOICES)
            if not (isinstance(node, quiet) or words or choice):
                loud.add(f"{name_of(path)}:{node.lineno}: {ast.unparse(node)[:60]}")
    assert not loud


def test_the_command_line_starts_without_the_parts_of_any_role():
    program = (
        "import sys, zero.cli, zero.settings\n"
        "heavy = ['redis', 'clickhouse_connect', 'fastapi', 'pandas', 'numpy', 'pyarrow', 'chdb', 'uvloop', 'rich']\n"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or None)\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr


def test_every_package_that_is_installed_is_pinned_with_a_hash_and_without_an_address():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    pins = [block for block in text.replace("\\\n", " ").splitlines() if block and not block.lstrip().startswith("#")]
    assert pins
    assert not [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin]


def test_every_dependency_has_a_sentence_why():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *project["dependency-groups"]["build"]]
    names = {requirement.split(">")[0].split("[")[0].strip() for requirement in wanted}
    reasons = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert not {name for name in names if f"`{name}`" not in reasons}
