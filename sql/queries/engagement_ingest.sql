-- Writes a batch of documents and completes their jobs; the parameters are those of the function ingest (m0006), and the number by which
-- it can be looked up whether it was committed. Documents are text, not jsonb: a bad one would print itself into the server's log.
SELECT * FROM ingest_noted($1::bigint, $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                           $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::boolean, $16::bigint,
                           $17::bigint);
