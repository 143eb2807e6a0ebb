"""The engine's shared library, loaded by itself.

The package around it starts an engine of its own when it is imported, asks that for its version, and imports what its data
frames need: half of the processor time that the store took to start.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

_NAME = "chdb._chdb"


def load() -> Any:
    """Return the library's module. Raises ImportError when it is not installed."""
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    package = importlib.util.find_spec("chdb")
    folders = package.submodule_search_locations if package is not None else None
    library = next((file for folder in folders or () for file in Path(folder).glob("_chdb.*so")), None)
    spec = importlib.util.spec_from_file_location(_NAME, library) if library is not None else None
    if spec is None or spec.loader is None:
        raise ImportError(f"{_NAME} is not installed", name=_NAME)
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | getattr(os, "RTLD_DEEPBIND", 0))  # its allocator before that of any other library
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.setdlopenflags(flags)
    return sys.modules.setdefault(_NAME, module)
