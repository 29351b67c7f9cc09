SELECT state, since::text, observed_at::text, attempts, cause, missing_parts FROM enrichment_state($1::text);
