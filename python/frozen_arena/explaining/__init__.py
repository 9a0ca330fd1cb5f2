"""Naming what differs on a copied OS page: which object, which field, why.

One engine for the own process and for another one: both are read through ``/proc/PID/mem``, and
what is read says of itself how objects are laid out (`layout`) and where the arenas lie
(`directory`).
"""
