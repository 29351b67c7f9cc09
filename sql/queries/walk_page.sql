-- Takes a page: $1 the walk, $2 our boot id, $3 the ids, $4 when each changed, $5 up to when everything was seen, $6 whether it was the last
-- page, $7 for how many seconds the walk is ours. How many were queued; NULL: another process is on it by now.
SELECT note_page($1::text, $2::bigint, $3::text[], $4::text[], $5::text, $6::boolean, $7::double precision) AS queued;
