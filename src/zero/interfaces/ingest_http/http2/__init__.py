"""HTTP/2 for the same doors: frames, heads, streams and windows, with a bound on everything a peer can ask for."""
