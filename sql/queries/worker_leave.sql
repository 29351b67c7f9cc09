DELETE FROM workers WHERE boot_id = $1::bigint;
