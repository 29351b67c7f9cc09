-- The job of the last try is waited for, and no other job of its engagement: a look at what is not ready may be a day away.
CREATE OR REPLACE FUNCTION queue_probe(credential text, denied_part text) RETURNS boolean
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    candidate text;
BEGIN
    PERFORM lock_writing(false);
    IF NOT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ':probe', 0))
       -- Whoever asks may have looked before another job tried it.
       OR NOT EXISTS (SELECT FROM scope_denials AS d WHERE d.credential_name = credential AND d.part = denied_part AND d.next_probe_at <= now())
       OR EXISTS (SELECT FROM credentials AS c JOIN enrichment_queue AS q ON left(q.engagement_id, 70) = left(c._probe_id, 70)
                  WHERE c.name = credential AND q.engagement_id = c._probe_id AND q.reason = 'scope_probe')
       -- A job that is due will carry it.
       OR EXISTS (SELECT FROM enrichment_queue AS q
                  WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) IN (1, 0, -1) AND q.available_at <= now()) THEN
        RETURN false;
    END IF;
    SELECT g.engagement_id INTO candidate
    FROM (SELECT o.engagement_id FROM engagement_gaps AS o
          WHERE o.part = denied_part AND o.cause = 'scope_denied' AND o._queued_at IS NULL
          ORDER BY o._occurred_at DESC NULLS LAST LIMIT 100) AS g
    JOIN engagements AS e ON e.id = g.engagement_id AND e._deleted_at IS NULL AND e._unreadable_since IS NULL
    ORDER BY random() LIMIT 1;
    IF candidate IS NULL THEN
        RETURN false;
    END IF;
    UPDATE credentials AS c SET _probe_id = candidate WHERE c.name = credential;
    INSERT INTO enrichment_queue (engagement_id, reason, priority) VALUES (candidate, 'scope_probe', 0);
    RETURN true;
END $$;
