"""The README's figures are those of the result files."""

import pytest

report = pytest.importorskip("bench.report", reason="the benchmarks live in a clone")


def test_the_measured_table_of_the_readme_is_made_from_the_results():
    shown = report.README.read_text().partition(report.BEGIN)[2].partition(report.END)[0]
    assert shown == report.table(), "run: zero bench report"
