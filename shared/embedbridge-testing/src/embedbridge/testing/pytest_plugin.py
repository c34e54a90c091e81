"""The pytest plugin: loaded by pytest wherever this package is installed.

It makes the asserts of the contract suite show their values.
"""

import pytest

pytest.register_assert_rewrite("embedbridge.testing.contract")
