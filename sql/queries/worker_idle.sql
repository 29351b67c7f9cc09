-- Says until when (in $2 seconds, 0: not at all) an insert shall ring the bell for worker $1.
UPDATE workers SET idle_until = CASE WHEN $2::double precision > 0 THEN clock_timestamp() + make_interval(secs => $2::double precision) END
WHERE boot_id = $1::bigint;
