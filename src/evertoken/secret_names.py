"""Which fields hold secrets, told by their names: those too that the spec does not know yet."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"

# Spelling differs in the API (privateKey, private_key): compared in lower case, letters and digits only.
_SECRET: Final = re.compile(
    r"(?<!required)secrets?$|passphrase$|^pass$|smtppass$"
    r"|(?:api|access|decryption|encryption|master|private|sas|secret|server|signing|wrapped|write)keys?$|^skey$"
    r"|assertion$|^(?:http)?authorization$|connectionstring$|recoverycodes?$|servercredentials$|^p12$"
    # Whoever has one of these needs nothing else.
    r"|ticket(?:url|id)?$|invitationurl$|^sumosourceaddress$"
)
_OF_ONE_MODEL: Final = frozenset(
    {
        ("GetJobResponseContent", "location"),  # where all users can be fetched from, without a token
        ("HttpCustomHeader", "value"),
        ("SetRulesConfigResponseContent", "value"),
    }
)
"""Fields that are secret in this model only, by names that say nothing."""

_OR_SETTING: Final = re.compile(r"(?:token|password)s?$|headers$|^configuration$")


def is_secret(name: str, model: str = "") -> bool:
    """Tell whether a field of this name is never shown; `model` is the class that it is in."""
    return bool(_SECRET.search(_plain(name))) or (model, name) in _OF_ONE_MODEL


def may_be_secret(name: str) -> bool:
    """Tell whether this is the name of a secret, but of an object of the spec that holds none, too.

    Such as `refresh_token`, which is a token or how long tokens live.
    """
    return bool(_OR_SETTING.search(_plain(name)))


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
