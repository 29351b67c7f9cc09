-- Takes webhooks, in one transaction with what follows from them: $1 the messages' ids, $2 the events', $3 their types, $4 the
-- workspaces, $5 what they are about, $6 when it happened, $7 enrich, deleted, contact, company, tag or ignored. The new ones' ids.
SELECT r.message FROM receive_events($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) AS r;
