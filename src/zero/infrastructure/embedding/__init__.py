"""Embedders: the bundled one, MiniLM, and any endpoint of the OpenAI kind."""
