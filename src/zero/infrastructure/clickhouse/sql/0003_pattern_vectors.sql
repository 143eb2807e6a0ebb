CREATE TABLE IF NOT EXISTS pattern_words${suffix} ${on_cluster}
(
    tenant LowCardinality(String),
    word String CODEC(ZSTD(1)),
    pattern_id UInt64,
    words UInt16,
    version UInt64
)
ENGINE = ${versioned_engine}
ORDER BY (tenant, word, pattern_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

${distributed_pattern_words}CREATE TABLE IF NOT EXISTS pattern_vectors${suffix} ${on_cluster}
(
    tenant LowCardinality(String),
    embedder LowCardinality(String),
    pattern_id UInt64,
    vector Array(Float32) CODEC(NONE),
    version UInt64
)
ENGINE = ${versioned_engine}
ORDER BY (tenant, embedder, pattern_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

${distributed_pattern_vectors}
