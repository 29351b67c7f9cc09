-- Clears signed URLs older than $1 seconds: they have expired. Up to 1,000 a call, oldest first; says how many.
WITH old AS MATERIALIZED (
    SELECT engagement_id FROM engagement_media
    WHERE media_url IS NOT NULL AND obtained_at < now() - make_interval(secs => $1::double precision)
    ORDER BY obtained_at LIMIT 1000 FOR UPDATE SKIP LOCKED
), cleared AS (
    UPDATE engagement_media AS m SET media_url = NULL
    WHERE m.engagement_id = ANY (ARRAY(SELECT engagement_id FROM old)) RETURNING m.engagement_id
)
SELECT count(*) AS n FROM cleared;
