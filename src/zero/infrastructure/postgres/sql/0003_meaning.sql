CREATE TABLE pattern_words (
    tenant text COLLATE "C" NOT NULL,
    word text COLLATE "C" NOT NULL,
    pattern_id bigint NOT NULL,
    words integer NOT NULL,
    PRIMARY KEY (tenant, word, pattern_id)
);

-- A vector is its numbers, 4 bytes each (IEEE 754, little endian): they are compared where numpy is.
CREATE TABLE pattern_vectors (
    tenant text COLLATE "C" NOT NULL,
    embedder text COLLATE "C" NOT NULL,
    pattern_id bigint NOT NULL,
    vector bytea NOT NULL,
    PRIMARY KEY (tenant, embedder, pattern_id)
);
