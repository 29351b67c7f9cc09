SELECT key, left(engagement_id, 200) AS engagement_id, cause, error, request_id, times, first_at::text, last_at::text, queue_id, reason, priority,
       enqueued_at::text, due_at::text, claims, attempts, losses, looks
FROM dead_letters WHERE key = $1::text;
