-- Deletes the contacts $1, and of the users $2 all but their ids.
SELECT p.kind, p.n FROM purge_persons($1::text[], $2::text[]) AS p;
