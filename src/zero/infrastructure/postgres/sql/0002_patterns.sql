CREATE TABLE patterns (
    tenant text COLLATE "C" NOT NULL,
    pattern_id bigint NOT NULL,
    group_id bigint NOT NULL,
    first_seen_ns bigint NOT NULL,
    last_seen_ns bigint NOT NULL,
    received_ms bigint NOT NULL,
    count bigint NOT NULL,
    first_bid bigint NOT NULL,
    first_idx integer NOT NULL,
    version bigint NOT NULL,
    text text COLLATE "C" NOT NULL,
    example text COLLATE "C" NOT NULL,
    group_text text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, pattern_id)
);

CREATE INDEX patterns_versions ON patterns (version);
CREATE INDEX patterns_groups ON patterns (tenant, group_id);
