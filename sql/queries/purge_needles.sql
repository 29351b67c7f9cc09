-- What is looked for in other rows.
SELECT needle FROM purge_needles ORDER BY needle;
