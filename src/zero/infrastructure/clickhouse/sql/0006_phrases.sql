-- Patterns get their words anew in the background: phrases are among them now.
TRUNCATE TABLE IF EXISTS pattern_words${suffix} ${on_cluster};
