-- Writes a slice of the table $1 again from what was delivered, behind the key $2; with $3 it only counts.
SELECT last, looked, changed FROM reproject($1::text, $2::text, 500, $3::boolean);
