import json
import logging
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from zero.application.events import Event
from zero.infrastructure.telemetry.events import PrometheusTelemetry
from zero.infrastructure.telemetry.exposition import PAGES_PER_SECOND_MAX, MetricsPage, empty_folder
from zero.infrastructure.telemetry.log_lines import LineFormatter


@dataclass(frozen=True, slots=True)
class Baked(Event):
    """A cake left the oven."""

    name: ClassVar[str] = "baked"
    level: ClassVar[str | None] = "info"
    labels: ClassVar[tuple[str, ...]] = ("kind",)
    amounts: ClassVar[tuple[str, ...]] = ("grams",)
    timings: ClassVar[tuple[str, ...]] = ("seconds",)
    gauges: ClassVar[tuple[str, ...]] = ("heat",)
    kind: str
    grams: int
    seconds: float
    heat: float


@pytest.fixture
def page():
    registry = CollectorRegistry()
    return PrometheusTelemetry(registry), MetricsPage(registry)


def test_a_flood_of_questions_gets_the_page_of_the_same_second_again():
    class Dear(Collector):
        made = 0

        def collect(self):
            self.made += 1
            return []

    registry, dear = CollectorRegistry(), Dear()
    registry.register(dear)
    page, dear.made = MetricsPage(registry), 0
    began = time.monotonic()
    for _ in range(500):
        page.text()
    assert dear.made <= PAGES_PER_SECOND_MAX * (2 + time.monotonic() - began)


def test_an_event_becomes_a_counter_sums_a_histogram_and_a_gauge(page):
    telemetry, metrics = page
    telemetry.emit(Baked("plum", 900, 0.3, 180.0))
    telemetry.emit(Baked("plum", 100, 0.4, 170.0))
    text = metrics.text().decode()
    assert 'zero_baked_total{kind="plum"} 2.0' in text
    assert 'zero_baked_grams_total{kind="plum"} 1000.0' in text
    assert 'zero_baked_seconds_bucket{kind="plum",le="0.5"} 2.0' in text
    assert 'zero_baked_heat{kind="plum"} 170.0' in text


def test_an_event_becomes_one_log_line_with_its_fields(page, caplog):
    with caplog.at_level(logging.INFO, "zero"):
        page[0].emit(Baked("plum", 900, 0.25, 180.0))
    line = LineFormatter("text", "oven").format(caplog.records[0])
    assert line.endswith("level=info role=oven event=baked kind=plum grams=900 seconds=0.25 heat=180")


def test_an_event_that_cannot_be_counted_never_raises(page, caplog):
    page[0].emit(Baked("plum", "many", 0.3, 180.0))
    assert "telemetry failed" in caplog.text


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_value_never_starts_a_line_of_its_own(form):
    record = logging.LogRecord("zero", logging.INFO, "", 0, "seen", (), None)
    record.fields = {"app": 'a\nlevel=error "x"', "plain": "ok", "empty": ""}
    line = LineFormatter(form, "r").format(record)
    assert "\n" not in line
    if form == "json":
        assert json.loads(line)["app"] == record.fields["app"]
    else:
        assert 'app="a\\nlevel=error \\"x\\"" plain=ok empty=""' in line


def test_a_process_that_starts_again_in_its_slot_counts_on_in_its_file(tmp_path):
    program = (
        "from zero.infrastructure.telemetry.process import process_telemetry\n"
        "from zero.application.settings_events import SettingsRefused\n"
        "telemetry, page = process_telemetry(); telemetry.emit(SettingsRefused('')); print(page.text().decode())\n"
    )
    pages = []
    for slot in ("1", "2", "1", "2"):
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PROMETHEUS_MULTIPROC_SLOT": slot}
        command = [sys.executable, "-c", program]
        pages.append(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    found = [re.search(r"^zero_settings_refused_total (\S+)", page, re.MULTILINE) for page in pages]
    assert [one and float(one[1]) for one in found] == [1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_1.db", "counter_2.db"]


def test_processes_that_share_a_folder_are_summed(tmp_path):
    empty_folder(tmp_path)
    program = (
        "from prometheus_client import CollectorRegistry as R\n"
        "from zero.infrastructure.telemetry.events import PrometheusTelemetry\n"
        "from zero.infrastructure.telemetry.exposition import MetricsPage\n"
        "from dataclasses import dataclass\nfrom typing import ClassVar\nfrom zero.application.events import Event\n"
        "@dataclass(frozen=True)\nclass Hit(Event):\n    '''A hit.'''\n    name: ClassVar[str] = 'hit'\n"
        "r = R(); PrometheusTelemetry(r).emit(Hit()); print(MetricsPage(r).text().decode())\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    pages = [
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert "zero_hit_total 1.0" in pages[0]
    assert "zero_hit_total 2.0" in pages[1]
    empty_folder(tmp_path)
    assert not list(tmp_path.glob("*.db"))
