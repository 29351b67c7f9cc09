SELECT state, since::text, observed_at::text, attempts, cause, array_to_string(missing_parts, ',') AS missing_parts FROM enrichment_state($1::text);
