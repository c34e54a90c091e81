"""`embedbridge doctor`: what is configured, what is broken, and whether a model works."""
