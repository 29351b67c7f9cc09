-- What a credential may not read.
SELECT d.part, d.scope, d.credential_name AS credential, date_trunc('second', d.first_seen_at)::text AS since,
       date_trunc('second', d.next_probe_at)::text AS next_probe_at
FROM scope_denials AS d ORDER BY d.credential_name, d.part;
