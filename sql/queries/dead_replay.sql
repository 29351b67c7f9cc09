-- Makes a new queue row of each of a slice of the dead letters with a key in $1, or of cause $2, or of all when $3; the letters go. At
-- most $6 behind the key $5, and none that died at $4 or later, or what dies again at once would be queued for ever. How many it
-- were, and the last of their keys: a slice, since all at once would outlast the statement's time.
WITH letters AS MATERIALIZED (
    SELECT key FROM dead_letters
    WHERE (key = ANY ($1::text[]) OR cause = $2::text OR $3::boolean) AND last_at < $4::text::timestamptz AND key > $5::text
    ORDER BY key LIMIT $6::bigint FOR UPDATE
), gone AS (
    DELETE FROM dead_letters AS d USING letters WHERE d.key = letters.key
    RETURNING d.engagement_id, d.reason, d.priority, d.first_at
), queued AS (
    INSERT INTO enrichment_queue (engagement_id, reason, priority)
    SELECT engagement_id, reason, priority FROM gone ORDER BY first_at
)
SELECT count(*) AS n, max(key) AS last FROM letters;
