-- Leave to try a token again that is not known to be taken, for one of all workers at a time: $1 the credential's name, $2 the
-- token's hash, $3 in how many seconds the next may. None once another worker has found that it is taken.
UPDATE credentials AS c SET next_probe_at = now() + make_interval(secs => $3::double precision)
WHERE c.name = $1::text AND c.fingerprint = $2::text AND c.state <> 'ok' AND (c.next_probe_at IS NULL OR c.next_probe_at <= now())
RETURNING c.state;
