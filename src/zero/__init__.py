"""zero: a log ingestion platform that acknowledges a log once it is on disk and stores it exactly once."""

__version__ = "0.1.0"
