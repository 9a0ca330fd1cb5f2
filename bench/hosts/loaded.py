"""A module whose import loads the catalogue: what a forkserver or a Spark daemon preloads."""

from bench.hosts import catalogue

catalogue.records()
