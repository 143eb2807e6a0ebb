-- The words of a message, for the full-text index: runs of ASCII letters (lowered), digits, '_' and whatever is outside ASCII.
-- A key of the index has a largest size, so of very long words only the beginning is in it.
CREATE FUNCTION zero_words(message text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(message) <= 2000 THEN
        array_remove(regexp_split_to_array(
            lower(message COLLATE "C"), '[\x01-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+'), '')
    ELSE
        ARRAY(SELECT DISTINCT left(word, 500) FROM regexp_split_to_table(
            lower(message COLLATE "C"), '[\x01-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+') AS word WHERE word <> '')
    END
$$;

-- Lowered beyond ASCII, too.
CREATE FUNCTION zero_lower(message text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(message COLLATE "und-x-icu") COLLATE "C"
$$;

-- A metadata value as the text that a search compares; NULL when the entry has no such key.
CREATE FUNCTION zero_value(metadata jsonb, key text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(metadata -> key)
        WHEN 'number' THEN CASE WHEN strpos(metadata ->> key, '.') > 0
            THEN (metadata ->> key)::float8::text ELSE metadata ->> key END
        ELSE metadata ->> key
    END COLLATE "C"
$$;

-- The same as a number, when it is one or a text that reads as one.
CREATE FUNCTION zero_number(metadata jsonb, key text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(metadata -> key)
        WHEN 'number' THEN (metadata ->> key)::numeric
        WHEN 'string' THEN CASE WHEN metadata ->> key ~ '^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$'
            THEN (metadata ->> key)::numeric END
    END
$$;

-- Numbers of 64 bits without a sign (bid, pattern_id) lie moved by 2^63, which keeps their order. No column is ever NULL.
-- Partitioned by day of receipt, from which retention counts: a day is dropped as a whole.
CREATE TABLE logs (
    timestamp_ns bigint NOT NULL,
    received_ms bigint NOT NULL,
    bid bigint NOT NULL,
    pattern_id bigint NOT NULL,
    idx integer NOT NULL,
    level smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    app_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    trace_id text COLLATE "C" NOT NULL,
    span_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    message text COLLATE "C" NOT NULL,
    metadata jsonb NOT NULL
) PARTITION BY RANGE (received_ms);

CREATE INDEX logs_newest ON logs (tenant, timestamp_ns, bid, idx) INCLUDE (level, app_id);
CREATE INDEX logs_identity ON logs (bid, idx);
CREATE INDEX logs_words ON logs USING gin (zero_words(message));
CREATE INDEX logs_metadata ON logs USING gin (metadata jsonb_path_ops);
CREATE INDEX logs_trace ON logs USING hash (trace_id) WHERE trace_id <> '';

-- The epoch of each shard's present owner: an insert under another one is refused in its own transaction.
CREATE TABLE shard_fences (shard integer PRIMARY KEY, epoch bigint NOT NULL);
