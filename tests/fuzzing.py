"""How many examples a property is tried with."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

TIMES: Final = int(os.environ.get("EVERTOKEN_FUZZ", "1"))
"""`scripts/fuzz` tries so many times the usual number, and others every time."""


def set_up() -> None:
    """Settle how properties are tried, those too that ask for nothing of their own."""
    settings.register_profile("evertoken", derandomize=TIMES == 1, deadline=None, max_examples=100 * TIMES)
    settings.load_profile("evertoken")


def tried(usual: int) -> settings:
    """Return the settings of a property that is tried with another number of examples than 100."""
    return settings(max_examples=usual * TIMES)
