"""One catalogue under real hosts: what tests/integration and the scenarios of hosts share."""
