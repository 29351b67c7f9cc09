-- Drops transcripts that are too old, of a slice of all engagements; whether there may be more.
SELECT retain_transcripts(200) AS has_more;
