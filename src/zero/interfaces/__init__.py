"""How the world reaches the platform: one package for each door."""
