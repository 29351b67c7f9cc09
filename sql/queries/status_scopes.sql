-- What a credential may not read. One that was given up, since others are used, says nothing of now.
SELECT d.part, d.scope, d.credential_name AS credential, date_trunc('second', d.first_seen_at)::text AS since,
       date_trunc('second', d.next_probe_at)::text AS next_probe_at
FROM scope_denials AS d JOIN credentials AS c ON c.name = d.credential_name
WHERE c.last_seen_at > (SELECT max(o.last_seen_at) FROM credentials AS o) - interval '1 day' ORDER BY d.credential_name, d.part;
