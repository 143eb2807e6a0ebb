"""The Python face of the C++ core."""
