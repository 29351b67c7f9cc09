-- Keeps a walk ours: $1 its name, $2 our boot id, $3 for how many seconds; 0 leaves it to whoever goes on with it.
UPDATE list_walks SET _held_until = clock_timestamp() + make_interval(secs => $3::double precision) WHERE name = $1::text AND _held_by = $2::bigint;
