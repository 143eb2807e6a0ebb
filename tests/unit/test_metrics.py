"""The metrics of all roles: one definition each, names and units as Prometheus asks for them, and all in the documentation."""

import importlib
import pkgutil
import re
from pathlib import Path

import zero
from zero.application.events import Event, metrics_of
from zero.cli.role_events import MODULES, events_of

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"


def table() -> str:
    """Return the table of docs/operations.md, made from the definitions."""
    rows = ["| metric | kind | labels | told by | what it is |", "|---|---|---|---|---|"]
    roles: dict[type[Event], list[str]] = {}
    for role in MODULES:
        for event in events_of(role):
            roles.setdefault(event, []).append(role)
    for event in sorted(roles, key=lambda event: event.name):
        told = "all" if len(roles[event]) == len(MODULES) else ", ".join(roles[event])
        for metric in metrics_of(event):
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {told} | {metric.help} |")
    return "\n".join(rows)


def every_event() -> set[type[Event]]:
    names = [module.name for module in pkgutil.walk_packages(zero.__path__, "zero.")]
    modules = [importlib.import_module(name) for name in names if name.endswith(("events", "ledger_gauge"))]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    return {kind for kind in found if issubclass(kind, Event) and kind is not Event}


def test_the_documentation_has_the_table_of_the_definitions():
    text = PAGE.read_text(encoding="utf-8")
    written = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert written == table(), f"put this between the marks of {PAGE.name}:\n{table()}"


def test_every_event_belongs_to_a_role():
    assert {event for role in MODULES for event in events_of(role)} == every_event()


def test_events_are_defined_where_roles_look_for_them():
    """So that a role can show its metrics from the start without loading what it does not need."""
    defined = [
        str(path.relative_to(Path(zero.__path__[0])))
        for path in Path(zero.__path__[0]).rglob("*.py")
        if re.search(r"^class \w+\(Event\)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert all(name.endswith(("events.py", "ledger_gauge.py")) for name in defined), defined


def test_names_and_units_are_those_that_prometheus_asks_for():
    metrics = [metric for event in every_event() for metric in metrics_of(event)]
    names = [metric.name for metric in metrics]
    assert len(set(names)) == len(names)
    for metric in metrics:
        assert re.fullmatch(r"zero_[a-z0-9]+(_[a-z0-9]+)*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.name.endswith("_seconds") or metric.kind != "histogram", metric.name
        assert not re.search(r"_(ms|us|ns|millis|minutes|kb|mb|kib|mib|count|sum|bucket|info)(_total)?$", metric.name), (
            metric.name
        )
        assert metric.help and not metric.help.endswith("."), metric.name
    helps = [metric.help for metric in metrics]
    assert len(set(helps)) == len(helps), "two metrics with the same help text"


def test_cases_fit_the_labels():
    for event in every_event():
        assert all(len(case) == len(event.labels) for case in event.cases), event.name
