-- A worker ends: $1 its boot id.
WITH notes AS (DELETE FROM last_writes WHERE boot_id = $1::bigint)
DELETE FROM workers WHERE boot_id = $1::bigint;
