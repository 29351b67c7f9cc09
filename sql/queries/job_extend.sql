-- Moves the lease of the jobs $1 of worker $2 to $3 seconds from now, and returns those that are ours no more.
-- Skips rows that are locked: only a writer that is completing them, ours or another's, locks them. Each row by key, also while
-- the planner takes the queue for empty (m0016): a join alone would read all of it.
WITH held AS MATERIALIZED (
    SELECT id FROM enrichment_queue WHERE id = ANY ($1::bigint[]) AND leased_by = $2::bigint ORDER BY id FOR UPDATE SKIP LOCKED
), extended AS (
    UPDATE enrichment_queue AS q SET available_at = clock_timestamp() + make_interval(secs => $3::double precision)
    WHERE q.id = ANY (ARRAY(SELECT id FROM held))
)
SELECT j.id FROM unnest($1::bigint[]) AS j(id)
WHERE NOT EXISTS (SELECT FROM enrichment_queue AS q WHERE q.id = j.id AND q.id = ANY ($1::bigint[]) AND q.leased_by = $2::bigint);
