-- The slowest job of each engagement that was the slowest of its minute, within the last day.
SELECT s.engagement_id, s.ms, s.outcome, to_char(s.minute AT TIME ZONE 'UTC', 'MM-DD HH24:MI') AS at
FROM (SELECT DISTINCT ON (m.slowest_engagement_id) m.slowest_engagement_id AS engagement_id, m.slowest_ms AS ms, m.outcome, m.minute
      FROM activity_minutes AS m WHERE m.minute > now() - interval '1 day' AND m.slowest_engagement_id IS NOT NULL
      ORDER BY m.slowest_engagement_id, m.slowest_ms DESC) AS s
ORDER BY s.ms DESC LIMIT 10;
