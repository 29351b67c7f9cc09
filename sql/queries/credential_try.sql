-- Leave to try a refused token again, for one of all workers every 30 s: $1 the credential's name, $2 the token's hash. None once
-- another worker has found that it is taken again.
UPDATE credentials AS c SET next_probe_at = now() + interval '30 seconds'
WHERE c.name = $1::text AND c.fingerprint = $2::text AND c.state <> 'ok' AND (c.next_probe_at IS NULL OR c.next_probe_at <= now())
RETURNING c.state;
