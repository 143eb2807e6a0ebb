CREATE TABLE IF NOT EXISTS ${local} ${on_cluster}
(
    tenant LowCardinality(String),
    app_id LowCardinality(String),
    source LowCardinality(String) CODEC(ZSTD(1)),
    environment LowCardinality(String) CODEC(ZSTD(1)),
    timestamp DateTime64(9, 'UTC') CODEC(GCD, Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    level Enum8('TRACE' = 1, 'DEBUG' = 2, 'INFO' = 3, 'WARN' = 4, 'ERROR' = 5, 'FATAL' = 6),
    message String CODEC(ZSTD(1)),
    _trace String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    metadata JSON CODEC(ZSTD(1)),
    pattern_id UInt64 CODEC(ZSTD(1)),
    _bid UInt64 CODEC(Delta, ZSTD(1)),
    _idx UInt32 CODEC(T64, ZSTD(1)),
    trace_id String ALIAS multiIf(
        length(_trace) = 16, lower(hex(_trace)),
        length(_trace) > 16 AND replaceAll(substring(_trace, 17), '\0', '') = '', substring(_trace, 1, length(_trace) - 1),
        _trace),
    id String ALIAS concat(leftPad(lower(hex(_bid)), 16, '0'), leftPad(lower(hex(_idx)), 8, '0')),
    INDEX bid_range _bid TYPE minmax GRANULARITY 1,
    INDEX message_words lower(message) TYPE text(tokenizer = 'splitByNonAlpha'),
    INDEX trace_bloom _trace TYPE bloom_filter GRANULARITY 1
)
ENGINE = ${engine}
PARTITION BY toDate(timestamp)
ORDER BY (tenant, toStartOfFiveMinutes(timestamp), app_id, pattern_id, timestamp)
TTL ${ttl}
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 268435456,
    merge_selector_base = 10;

${distributed}
