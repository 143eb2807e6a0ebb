"""Files of other packages, found without importing those."""

from importlib.util import find_spec
from pathlib import Path


def file_of(package: str, path: str) -> Path | None:
    """Return the path of a file that the package has, None when it is not installed or has no such file."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / path
        if found.is_file():
            return found
    return None
