"""`segsync check --connect`: what queries would do to the tables that are really there.

    samples   statements rendered from made-up profiles, by the real renderer
    shapes    which table and columns a statement touches, and how (sqlglot)
    findings  what follows from shapes and the target's catalogue
    places    from a target's objection back to the line and column of the query's text
    targets   one connector and its integrations, step by step

Nothing is run: targets prepare or explain (`workers/connectors/inspection.py`).
"""
