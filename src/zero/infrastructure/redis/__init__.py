"""The buffer: Redis or Valkey streams."""
