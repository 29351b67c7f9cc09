-- Begins a walk through the list, or goes on with it: $1 its name, $2 our boot id, $3 and $4 its range, $5 for how many seconds it is ours.
-- No row: another process is on it.
SELECT w.checkpoint, w.pages, w.listed, w.queued FROM take_walk($1::text, $2::bigint, $3::text, $4::text, $5::double precision) AS w;
