"""In-process twins of buffer and store, held to the same contract suites."""
