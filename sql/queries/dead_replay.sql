-- Makes a new queue row of each dead letter with a key in $1, or of cause $2, or of all when $3; the letter goes.
WITH letters AS MATERIALIZED (
    SELECT key FROM dead_letters WHERE key = ANY ($1::text[]) OR cause = $2::text OR $3::boolean ORDER BY key FOR UPDATE
), gone AS (
    DELETE FROM dead_letters AS d USING letters WHERE d.key = letters.key
    RETURNING d.engagement_id, d.reason, d.priority, d.first_at
)
INSERT INTO enrichment_queue (engagement_id, reason, priority)
SELECT engagement_id, reason, priority FROM gone ORDER BY first_at
RETURNING id;
