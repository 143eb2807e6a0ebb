"""The ingest door over HTTP."""
