"""Owns the limits of AWS that the model keeps to, each with the page that says it."""

PARTITION_WRITE_UNITS = 1_000.0
"""A second, of one partition, hence of one item or one key of an index that no split can divide.

DynamoDB Developer Guide, "Best practices for designing and using partition keys effectively" and "Key range
throughput exceeded (hot partitions)"; that an index's hot partition holds back its table: "Understanding
DynamoDB GSI write throttling and back pressure".
"""
TABLE_WRITE_UNITS = 40_000.0
"""A second, of one on-demand table, and of each of its indexes, until the quota is raised.

DynamoDB Developer Guide, "Quotas in Amazon DynamoDB", Throughput default quotas.
"""
NEW_TABLE_WRITE_UNITS = 4_000.0
"""A second, of an on-demand table that never had more, and of each index of it.

DynamoDB Developer Guide, "DynamoDB on-demand capacity mode", Initial throughput and scaling properties.
"""
DOUBLING_MINUTES = 30.0
"""More than twice the previous peak within this time may be throttled (same page, same section)."""
LAMBDA_CONCURRENCY = 1_000
"""Environments of all functions of an account in a region, until the quota is raised.

Lambda Developer Guide, "Understanding Lambda function scaling".
"""
LAMBDA_NEW_ENVIRONMENTS, LAMBDA_SCALING_SECONDS = 1_000.0, 10.0
"""So many more environments of a function in so many seconds; what is not used is not saved up.

Lambda Developer Guide, "Lambda scaling behavior", Concurrency scaling rate.
"""
API_REQUESTS, API_BURST = 10_000.0, 5_000.0
"""A second, of all APIs of an account in a region, and at once. Amazon API Gateway quotas, account level.

2,500 and 1,250 in some newer regions (same page).
"""
SQS_BATCH_BYTES = 6_000_000
"""Of the messages of one invocation. Lambda API Reference, EventSourceMappingConfiguration, BatchSize."""
