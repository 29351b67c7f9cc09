-- Clears signed URLs older than $1 seconds: they have expired. At most 1,000 at a time.
UPDATE engagement_media AS m SET media_url = NULL
FROM (SELECT engagement_id FROM engagement_media
      WHERE media_url IS NOT NULL AND obtained_at < now() - make_interval(secs => $1::double precision)
      ORDER BY engagement_id LIMIT 1000 FOR UPDATE SKIP LOCKED) AS old
WHERE m.engagement_id = old.engagement_id;
