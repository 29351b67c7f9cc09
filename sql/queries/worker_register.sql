-- A worker's sign of life, and its row at the first one: $1 its boot id, $2 host, $3 process id, $4 version, $5 whether its sessions hold
-- the lock on the boot id; if so, they do already; $6 the command that it is, NULL: a worker.
INSERT INTO workers (boot_id, host, pid, version, _holds_lock, command)
VALUES ($1::bigint, $2::text, $3::bigint::integer, $4::text, $5::boolean, $6::text)
ON CONFLICT (boot_id) DO UPDATE SET last_seen_at = now(), _holds_lock = excluded._holds_lock;
