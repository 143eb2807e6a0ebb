"""Patterns: grouping masked texts, keeping the catalogue of them, listing them, and finding what is out of the ordinary."""
