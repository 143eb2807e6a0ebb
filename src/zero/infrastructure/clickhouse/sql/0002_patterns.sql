CREATE TABLE IF NOT EXISTS patterns${suffix} ${on_cluster}
(
    tenant LowCardinality(String),
    pattern_id UInt64,
    text String CODEC(ZSTD(1)),
    example String CODEC(ZSTD(1)),
    group_id UInt64,
    group_text String CODEC(ZSTD(1)),
    first_seen DateTime64(9, 'UTC'),
    last_seen DateTime64(9, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    count UInt64,
    first_bid UInt64,
    first_idx UInt32,
    version UInt64
)
ENGINE = ${versioned_engine}
ORDER BY (tenant, pattern_id)
TTL ${ttl}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

${distributed_patterns}
