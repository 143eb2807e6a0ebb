"""Dashboard and alerts against a running platform: every expression parses, and what it reads is there to be scraped."""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import promql_parser
import pytest
import yaml

from tests.e2e.conftest import Shipping
from tests.patience import soon

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana" / "zero.json").read_text(encoding="utf-8"))
GROUPS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
OF_OTHERS = {
    "up",  # Prometheus itself
    "process_start_time_seconds",  # its client, in roles that run alone: tests/e2e/test_deploy.py
    "ClickHouseAsyncMetrics_DiskAvailable_default",
    "ClickHouseAsyncMetrics_DiskTotal_default",
}
AWAITED = ('proc="store"', "zero_patterns_catalogued_patterns 1.0")
KINDS = {"row", "stat", "timeseries"}
PARTS = ("expr", "lhs", "rhs", "args", "vector_selector", "param")


def shown() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str]]:
    """Yield where it is and the PromQL, with a value in the place of each variable of Grafana."""
    for panel in shown():
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", "1m").replace("$job", "zero.*")
            yield panel["title"], text
    for rule in RULES:
        yield rule["alert"], rule["expr"]


def metrics_in(node: Any) -> set[str]:
    """Return the names of the metrics that a parsed expression reads."""
    if isinstance(node, list):
        return set().union(*map(metrics_in, node))
    if isinstance(node, promql_parser.VectorSelector):
        return {node.name}
    return set().union(*(metrics_in(getattr(node, part)) for part in PARTS if getattr(node, part, None) is not None))


def named() -> set[str]:
    return set().union(*(metrics_in(promql_parser.parse(text)) for _, text in expressions()))


@pytest.fixture(scope="module")
def pages(plain: Shipping) -> tuple[str, str]:
    """The pages of ingest and api, once something was stored and searched for."""
    plain.post([{"message": f"line {number} of user u{number}"} for number in range(3)] + [{"message": ""}])
    plain.until_balanced(3)
    plain.search("line")

    def read(base: str) -> str:
        with urlopen(f"{base}/metrics", timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return answer.read().decode()

    soon(lambda: "zero_ledger_stored 3.0" in (page := read(plain.api)) and all(word in page for word in AWAITED))
    return read(plain.ingest), read(plain.api)


def sampled(page: str) -> set[str]:
    """Return the names that have a value."""
    return set(re.findall(r"^([a-zA-Z_:][\w:]*)(?=[{ ])", page, re.MULTILINE))


def test_every_metric_that_dashboard_and_alerts_read_is_there_to_be_scraped(pages):
    there = sampled(pages[0]) | sampled(pages[1])
    happens_later = {"zero_restarts_total", "zero_tls_certificate_loaded_expiry_timestamp_seconds"}
    assert named() - there - happens_later == OF_OTHERS
    assert len(named()) > 50


def test_the_pages_count_what_happened(pages):
    ingest, api = pages
    assert "zero_ingest_flush_entries_total 3.0" in ingest
    assert "zero_ingest_flush_rejected_total 1.0" in ingest
    assert "zero_block_stored_rows_total 3.0" in api
    assert 'zero_api_request_total{door="/api/logs",status="2xx"} 1.0' in api
    assert "zero_buffer_limit_bytes 5.36870912e+08" in api
    for name in ("up", "buffer", "store", "ingest-0", "drain-0", "api"):
        taken = re.search(rf'zero_process_resident_memory_bytes{{proc="{name}"}} (\S+)', api)
        assert taken and float(taken[1]) > 1e6, name


def test_promtool_finds_nothing_wrong_with_the_pages(pages):
    for page in pages:
        found = subprocess.run([promtool(), "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
        assert (found.returncode, found.stdout + found.stderr) == (0, "")


def promtool() -> str:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: it is in the package prometheus)")
    return tool


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts_test.yaml"),
        ("check", "config", "--syntax-only", "prometheus.yaml"),
    ],
)
def test_promtool_takes_the_files_and_the_alerts_fire_when_they_should(arguments):
    found = subprocess.run([promtool(), *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_alert_is_tried_and_explained():
    tried = (DEPLOY / "prometheus" / "alerts_test.yaml").read_text()
    for rule in RULES:
        name, notes = rule["alert"], rule["annotations"]
        assert f"\n### {name}\n" in OPERATIONS
        assert notes["runbook_url"] == f"docs/operations.md#{name.lower()}"
        assert notes["summary"] and notes["description"].endswith(".")
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert name in tried, name
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_dashboard_has_the_shape_that_grafana_wants():
    assert DASHBOARD["schemaVersion"] >= 39
    assert (DASHBOARD["uid"], DASHBOARD["title"]) == ("zero-logs", "zero")
    assert "id" not in DASHBOARD, "an id is the installation's to give"
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "job"]
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["type"] for panel in panels} == KINDS
    for panel in shown():
        assert panel["title"] and panel["description"].endswith(".")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert references and len(set(references)) == len(references)
        assert all(target["legendFormat"] for target in panel["targets"])


def test_no_panel_covers_another():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        places = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] + at["w"] <= 24 and not places & taken, panel["title"]
        taken |= places
