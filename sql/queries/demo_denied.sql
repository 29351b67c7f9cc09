-- Which of the engagements $1 lack a part that the token may not read.
SELECT engagement_id FROM engagement_gaps WHERE engagement_id = ANY ($1::text[]) AND cause = 'scope_denied' LIMIT 1;
