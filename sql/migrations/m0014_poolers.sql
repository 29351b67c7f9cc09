-- Workers behind a transaction pooler, where no session is a worker's own: they hold no lock by which others see that they live.

ALTER TABLE workers ADD COLUMN _holds_lock boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN workers._holds_lock IS 'Its sessions hold the lock on its boot id; false behind a transaction pooler, where only the ends of its leases give its jobs back.';

-- Gives the jobs of workers back that are gone: nobody holds their lock any more. Their leases end within ten minutes at
-- most, so the claim's own index finds them. Who works without a lock is not taken for dead before that time is over.
CREATE OR REPLACE FUNCTION reclaim(gone bigint[]) RETURNS TABLE (boot_id bigint, n bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH dead AS MATERIALIZED (
        SELECT b.boot_id FROM unnest(gone) AS b(boot_id)
        WHERE pg_try_advisory_xact_lock(b.boot_id)
          AND NOT EXISTS (SELECT FROM workers AS w
                          WHERE w.boot_id = b.boot_id AND NOT w._holds_lock AND w.last_seen_at > clock_timestamp() - interval '11 minutes')
    ), theirs AS MATERIALIZED (
        SELECT q.id, q.leased_by FROM enrichment_queue AS q
        WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) IN (1, 0, -1)
          AND q.available_at > now() AND q.available_at <= now() + interval '11 minutes'
          AND q.leased_by IN (SELECT d.boot_id FROM dead AS d)
        ORDER BY q.id FOR UPDATE SKIP LOCKED
    ), given AS (
        UPDATE enrichment_queue AS q
        SET leased_by = NULL, available_at = least(coalesce(q.due_at, now()), now()), losses = coalesce(q.losses, 0) + 1
        FROM theirs WHERE q.id = theirs.id
        RETURNING theirs.leased_by
    ), forgotten AS (
        -- Not at once: a worker that lost all its connections for a moment is alive, and needs its row.
        DELETE FROM workers AS w USING dead WHERE w.boot_id = dead.boot_id AND w.last_seen_at < now() - interval '2 minutes'
        RETURNING w.boot_id
    ), notes AS (
        DELETE FROM last_writes AS n USING forgotten AS f WHERE n.boot_id = f.boot_id
    )
    SELECT d.boot_id, count(g.leased_by) FROM dead AS d LEFT JOIN given AS g ON g.leased_by = d.boot_id GROUP BY d.boot_id;
END $$;
