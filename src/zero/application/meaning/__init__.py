"""Search by meaning: what a question and a pattern have in common."""
