"""The rows of the table, one file for each group that shares its servers or its runs.

A group has `ROWS`, the names of its rows, and `run(bench, wanted)`, which measures those and gives their results.
"""
