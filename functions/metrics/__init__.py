"""metrics: what this process has counted, for Prometheus."""
