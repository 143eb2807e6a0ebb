ALTER TABLE ${local} ${on_cluster} ADD PROJECTION IF NOT EXISTS minutes
(
    SELECT tenant, toStartOfMinute(timestamp), app_id, level, count()
    GROUP BY tenant, toStartOfMinute(timestamp), app_id, level
);
ALTER TABLE ${local} ${on_cluster} MATERIALIZE PROJECTION IF EXISTS minutes SETTINGS mutations_sync = 0;
