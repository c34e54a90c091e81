"""Settings of the engine and where each comes from, for `embedbridge doctor`; misspelt variables."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from embedbridge.contract.errors import ConfigurationError

OTHER_VARIABLES = (
    "EMBEDBRIDGE_CACHE_DIR",
    "EMBEDBRIDGE_PROVIDERS",
    "EMBEDBRIDGE_PROVIDERS_FILE",
)
"""Those of ours that are no field of `Settings`."""


def settings_of(options: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Each setting with its value and where it comes from, and what is wrong with them."""
    from embedbridge.core import Settings
    from embedbridge.core.tooling import (
        SETTING_NAMES,
        SETTING_PREFIX,
        SETTING_SYNONYMS,
        parse_settings,
    )

    given = {name: value for name, value in options.items() if name in SETTING_NAMES}
    set_ = {name.upper() for name in os.environ}  # in any case
    problems = []
    try:
        effective: Any = parse_settings(given)
    except ConfigurationError as error:
        problems.append(str(error))
        effective = None
    listed = []
    for name, field in Settings.model_fields.items():
        names = [name, *(one for one, meant in SETTING_SYNONYMS.items() if meant == name)]
        variables = [f"{SETTING_PREFIX}{one.upper()}" for one in names]
        variable = next(filter(set_.__contains__, variables), variables[0])
        source = "environment" if variable in set_ else "default"
        if not given.keys().isdisjoint(names):
            source = "option"
        value = field.default if source == "default" else getattr(effective, name, "?")
        listed.append({"name": name, "value": value, "source": source, "variable": variable})
    return listed, problems


def misspelt_variables(of_providers: Iterable[str]) -> list[str]:
    """Variables that begin like ours and are none: a setting that does nothing.

    Args:
        of_providers: The variables that providers read.
    """
    from embedbridge.core.tooling import SETTING_NAMES, SETTING_PREFIX

    settings = (f"{SETTING_PREFIX}{name.upper()}" for name in SETTING_NAMES)
    known = {*OTHER_VARIABLES, *settings, *map(str.upper, of_providers)}
    problems = []
    for name in sorted(os.environ):
        if name.upper().startswith(SETTING_PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"The environment variable {name} is no setting.{hint}")
    return problems
