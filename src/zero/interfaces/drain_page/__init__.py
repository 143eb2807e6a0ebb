"""The page of a drain that runs alone: whether it lives, whether it works, its metrics."""
