"""What Alembic runs to upgrade; the connection, its transaction and its lock are `Ledger.upgrade`'s."""

from __future__ import annotations

from alembic import context

from workers.ledger.tables import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
