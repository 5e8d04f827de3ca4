"""The benchmark: likesd beside what people would use instead, on one machine, in one run. `make bench` runs it."""
