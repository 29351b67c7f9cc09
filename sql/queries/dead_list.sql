-- Dead letters, newest first: of cause $1 (NULL: any), at most $2.
SELECT left(key, 80) AS key, left(engagement_id, 80) AS engagement_id, cause, coalesce(error, '') AS error, times, first_at::text, last_at::text, coalesce(request_id, '') AS request_id
FROM dead_letters WHERE $1::text IS NULL OR cause = $1::text ORDER BY last_at DESC, key LIMIT $2::bigint;
