"""Two results are compared figure by figure."""

import json

import pytest

compare = pytest.importorskip("bench.compare", reason="the benchmarks live in a clone")

BEFORE = {
    "commit": "a",
    "machine": {"cores": 2},
    "cases": [
        {"case": "single", "connections": 64, "requests_per_second": {"median": 100}, "latency": {"p99_ms": {"median": 4.0}}},
        {"case": "gone", "requests_per_second": {"median": 1}},
    ],
    "cpu_seconds": {"ingest-11": 1.0, "ingest-12": 1.0},
}
AFTER = {
    "commit": "b",
    "machine": {"cores": 2},
    "cases": [
        {"case": "single", "connections": 64, "requests_per_second": {"median": 150}, "latency": {"p99_ms": {"median": 5.0}}}
    ],
    "cpu_seconds": {"ingest-99": 1.96},
}


def test_figures_are_found_by_case_and_role_and_what_one_result_lacks_is_left_out():
    assert compare.compared(BEFORE, AFTER) == [
        ("cases / single / connections", 64, 64),
        ("cases / single / requests_per_second / median", 100, 150),
        ("cases / single / latency / p99_ms / median", 4, 5),
        ("cpu_seconds / ingest", 2.0, 1.96),
    ]


def test_only_what_differs_is_shown_and_said_to_be_better_or_worse():
    rate, latency = compare.lines(BEFORE, AFTER)
    assert rate.split()[-4:] == ["150", "+50.0", "%", "better"]
    assert latency.split()[-4:] == ["5", "+25.0", "%", "worse"]
    assert len(compare.lines(BEFORE, AFTER, everything=True)) == 4
    assert compare.lines(AFTER, AFTER) == ["no figure differs by 5 % or more"]


def test_files_and_folders_are_compared_and_a_mixture_is_refused(tmp_path):
    for name, result in (("before", BEFORE), ("after", AFTER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ingest.json").write_text(json.dumps(result))
    (tmp_path / "before" / "only.json").write_text("{}")
    text = compare.run(tmp_path / "before", tmp_path / "after", False)
    assert "ingest.json (a)" in text
    assert "only" not in text
    assert compare.run(tmp_path / "before" / "ingest.json", tmp_path / "after" / "ingest.json", False) == text
    with pytest.raises(ValueError, match="two files or two folders"):
        compare.run(tmp_path / "before", tmp_path / "after" / "ingest.json", False)


def test_results_of_two_machines_come_with_a_warning(tmp_path):
    for name, result in (("a", BEFORE), ("b", AFTER | {"machine": {"cores": 64}})):
        (tmp_path / name).write_text(json.dumps(result))
    assert "different machines" in compare.run(tmp_path / "a", tmp_path / "b", False)
