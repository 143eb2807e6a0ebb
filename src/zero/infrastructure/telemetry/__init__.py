"""Events become log lines and metrics here."""
