"""Plugin discovery by entry points: which providers are installed, and which one a string names.

entry_points.py    what installed distributions announce, read without importing them
plugin_hooks.py    what a plugin returns, checked
providers_file.py  the user's own providers, rows of a TOML file
registry.py        the providers of this process; a provider that fails costs itself only
own_providers.py   the providers that this project publishes, and their distributions
resolve.py         "provider:model" to the class and the name
"""
