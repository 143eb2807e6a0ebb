"""Compression and the pure-Python twins of the native codecs."""
