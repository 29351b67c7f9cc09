-- Transcripts of engagements that took place more than $1 seconds ago are not kept; NULL: all are.
SELECT keep_transcripts($1::text::double precision);
