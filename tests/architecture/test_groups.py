"""Tests that share what is slow to make run in one process: what keeps them together failed silently once."""

import pytest


@pytest.mark.xdist_group("together")
def test_the_tests_of_a_group_stay_together(request: pytest.FixtureRequest) -> None:
    """The scheduler goes by what the plugin writes behind a test's id."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("not asked for: --dist loadgroup")
    assert request.node.nodeid.endswith("@together")
