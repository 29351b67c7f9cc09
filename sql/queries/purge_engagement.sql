-- Deletes the engagement $1, and the contacts and companies that no other one shows.
SELECT p.kind, p.n FROM purge_engagement($1::text) AS p;
