"""The core of the tests for each guest that xenabs is to work in, and the table of the results.

``make matrix`` runs them; SUITES, KINDS, SIZES and HOST choose cells, so that a part can be run
again. The table, docs/tried.md, keeps what other cells gave before.

    cells       which guests there are
    one_cell    the tests of one cell, which an environment variable names; pytest runs them
    runs        pytest for a cell, and what each of its tests gave
    table       docs/tried.md, read and written
"""
