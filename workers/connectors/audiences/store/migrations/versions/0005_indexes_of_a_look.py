"""What a look at an audience asks for is found without a look at all members, or at all calls.

SQLite takes an index of some rows only where a question says word for word what the index does: it is asked `owed = 1`,
and for calls by a state that is told along with the question.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes both indexes anew."""
    op.drop_index("ads_identifier_owed", "ads_identifier")
    columns, here, there = ["audience", "there"], sa.text("owed = 1"), sa.text("owed")
    op.create_index("ads_identifier_owed", "ads_identifier", columns, sqlite_where=here, postgresql_where=there)
    op.drop_index("ads_call_open", "ads_call")
    op.create_index("ads_call_state", "ads_call", ["audience", "state", "action"])
