UPDATE workers SET last_seen_at = now() WHERE boot_id = $1::bigint;
