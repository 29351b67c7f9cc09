-- Leave to try a denied part again: $1 the credential's name, $2 the part.
SELECT take_probe($1::text, $2::text) AS taken;
