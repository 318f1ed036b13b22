"""From what a profile has to what a platform wants: normal forms, and their hashes.

Pure functions: text in, text out. What has no normal form raises `NotNormal`, whose reason is one of a few sentences,
so that it can be counted, and never holds the value.
"""

from workers.connectors.audiences.normalisation.forms import FORMS, Form
from workers.connectors.audiences.normalisation.hashing import Hasher, hashed, hashed_already
from workers.connectors.audiences.normalisation.plain_text import NotNormal

__all__ = ["FORMS", "Form", "Hasher", "NotNormal", "hashed", "hashed_already"]
