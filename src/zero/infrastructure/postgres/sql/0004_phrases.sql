-- Patterns get their words anew in the background: phrases are among them now.
TRUNCATE pattern_words;
