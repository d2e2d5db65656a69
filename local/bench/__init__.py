"""`tael bench`: verified payments per second, capacity per worker, latency and cost."""
