-- Ends jobs that brought no document; the parameters are those of the function settle (m0007), and the number by which it can be looked
-- up whether it was committed.
SELECT * FROM settle_noted($1::bigint, $2::bigint[], $3::bigint[], $4::text[], $5::double precision[], $6::text[]::boolean[],
                           $7::text[]::boolean[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint,
                           $15::bigint);
