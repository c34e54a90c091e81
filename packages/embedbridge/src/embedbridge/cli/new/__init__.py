"""`embedbridge new`: a package for a new provider, made from templates."""
