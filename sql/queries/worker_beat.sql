-- How the worker $1 is, $2 as in the log, and how jobs ended since it said so last ($3).
SELECT note_heartbeat($1::bigint, $2::text::jsonb, $3::text::jsonb);
