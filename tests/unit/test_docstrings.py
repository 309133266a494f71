"""The examples in docstrings are true."""

import doctest

import xenabs.geometry


def test_the_examples_of_geometry() -> None:
    results = doctest.testmod(xenabs.geometry)
    assert results.attempted > 0
    assert results.failed == 0
