"""What Alembic runs to upgrade; the connection, its transaction and its lock are `Store.upgrade`'s."""

from __future__ import annotations

from alembic import context

from workers.connectors.audiences.store.tables import STORE_VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=STORE_VERSION_TABLE)
context.run_migrations()
