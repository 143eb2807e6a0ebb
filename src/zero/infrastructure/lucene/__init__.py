"""The query language: Lucene's style, for logs."""
