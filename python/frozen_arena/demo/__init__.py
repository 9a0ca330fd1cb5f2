"""The demo: a code search index over real Python sources, served by forked workers, three ways.

`sources` picks the files, `index` builds the index, `queries` draws and answers queries,
`plain_scan` checks answers without the index, `workers` forks and drives the workers, `scenario`
runs one way in a process tree of its own, `runner` runs all three and compares them. Only
`scenario` uses the arena; everything below it is an ordinary program that knows nothing of it.
"""
