"""docs/api.md against the code: the fields of an entry, and the paths of the api."""

import re
from pathlib import Path

from zero.domain.entry import EntryLimits
from zero.infrastructure.codec.decode_json_twin import METADATA_NAMES, NAMES

PAGE = (Path(__file__).parents[4] / "docs" / "api.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    """Return what stands between the marks of that name."""
    return PAGE.partition(f"<!-- {name}: begin -->")[2].partition(f"<!-- {name}: end -->")[0]


def test_the_page_has_every_field_with_its_other_names_and_its_limit() -> None:
    limits = EntryLimits()
    told = {}
    for row in section("fields").strip().splitlines()[2:]:
        field, others, most, _ = (cell.strip() for cell in row.strip("|").split("|"))
        told[field.strip("`")] = re.findall(r"`([^`]*)`", others), [int(number) for number in re.findall(r"\d+", most)]
    bounds = {name: [getattr(limits, f"{name}_bytes")] if hasattr(limits, f"{name}_bytes") else [] for name in NAMES}
    expected = {name: ([*names[1:]], bounds[name]) for name, names in NAMES.items()}
    sizes = [limits.metadata_keys, limits.metadata_key_bytes, limits.metadata_value_bytes]
    assert told == expected | {"metadata": ([*METADATA_NAMES[1:]], sizes)}


async def test_the_page_has_every_path(api) -> None:
    paths = set((await api.client.get("/api/openapi.json")).json()["paths"])
    assert paths == set(re.findall(r"(?:`|GET |POST )(/[^`, ]*)`", section("paths")))
