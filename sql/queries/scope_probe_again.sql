-- The try told nothing: another one soon. $1 the credential's name, $2 the part.
UPDATE scope_denials SET next_probe_at = now() + interval '5 seconds', _probes = greatest(_probes - 1, 0) WHERE credential_name = $1::text AND part = $2::text;
