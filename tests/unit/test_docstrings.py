"""The examples in docstrings are true."""

import doctest
from types import ModuleType

import pytest

import xenabs.geometry
import xenabs.x11.region
import xenabs.x11.workarounds


@pytest.mark.parametrize("module", [xenabs.geometry, xenabs.x11.region, xenabs.x11.workarounds])
def test_the_examples_of(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
