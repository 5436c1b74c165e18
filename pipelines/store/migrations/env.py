"""Run by Alembic inside `Database.migrate`, on its connection and in its transaction."""

from __future__ import annotations

from alembic import context

from pipelines.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
