"""A Spark daemon that loads the catalogue before it forks: what one writes without an arena."""

from bench.hosts import catalogue

catalogue.records()

if __name__ == "__main__":
    from pyspark.daemon import manager

    manager()
