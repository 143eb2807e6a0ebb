ALTER TABLE ${local} ${on_cluster} ADD PROJECTION IF NOT EXISTS counts
(
    SELECT
        tenant, toStartOfFiveMinutes(timestamp), app_id, level, pattern_id,
        count(), min(timestamp), max(timestamp), max(received_at), min(toUInt128(_bid) * 4294967296 + _idx)
    GROUP BY tenant, toStartOfFiveMinutes(timestamp), app_id, level, pattern_id
);
ALTER TABLE ${local} ${on_cluster} MATERIALIZE PROJECTION IF EXISTS counts SETTINGS mutations_sync = 0;
