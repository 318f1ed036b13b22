"""`segsync check --connect`: what queries would do to the tables that are really there.

    samples   statements rendered from made-up profiles, by the real renderer
    shapes    which table and columns a statement touches, and how (sqlglot); what it sets: assignments
    findings  what follows from shapes and the target's catalogue, of which
        repeating   what comes of a batch that comes again or in part, and what IGNORE and REPLACE do
        uniqueness  which row an upsert meets
        sameness    which different keys are one row
    places    from a target's objection back to the line and column of the query's text
    position_table  what `exactly_once` needs
    examination     one connector and its integrations, step by step
    trial     statements run and rolled back, for `preview --try`

Nothing is run: targets prepare or explain (`workers/connectors/inspection.py`).
"""
