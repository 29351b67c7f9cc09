-- The parts that the credential $1 may not read.
SELECT part FROM scope_denials WHERE credential_name = $1::text;
