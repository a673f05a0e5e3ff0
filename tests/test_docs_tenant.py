"""docs/tenant.md: every Python block in it is run as it stands, and it promises what is there."""

from __future__ import annotations

import pathlib
import re

import pytest

from evertoken_tenant import Tenant

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "tenant.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    """The page shows calls, checks and seeding."""
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS, ids=["socket", "checks", "seeding"])
def test_every_example_runs(block: str) -> None:
    """What the page shows works, and its assertions hold."""
    exec(compile(block, "tenant.md", "exec"), {"__name__": "example"})  # noqa: S102 - our own page


def test_every_name_of_the_tenant_that_is_told_is_there() -> None:
    """Names that the page uses are those of the class."""
    for name in ("seed", "set", "rows", "follow_events", "issue_token"):
        assert name in PAGE
        assert hasattr(Tenant, name)
