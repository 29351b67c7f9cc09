-- For "scopes recheck": all denied parts are due to be tried, and so is a refused token. $1 the credential's name.
WITH tried AS (UPDATE credentials SET next_probe_at = now() WHERE name = $1::text AND state IN ('refused', 'forbidden'))
UPDATE scope_denials SET next_probe_at = now() WHERE credential_name = $1::text RETURNING part;
