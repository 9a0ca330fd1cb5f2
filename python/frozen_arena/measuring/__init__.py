"""`frozen-arena measure`: what the user's own data would gain.

`scenario` builds the data, forks workers and lets them read, in one way and in a process of its
own; `runner` starts it for each way and compares; `reading` is what workers do when they are told
nothing else; `advice` says what to make of it, `picture` draws it.
"""
