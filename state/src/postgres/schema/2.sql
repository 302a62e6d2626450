-- Version 2. What plan files are sealed with: 366 bits of chance, for which there is no other source
-- without an extension.
ALTER TABLE about ADD COLUMN key bytea;
UPDATE about SET key = sha256(convert_to(
    concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), 'UTF8'));
ALTER TABLE about ALTER COLUMN key SET NOT NULL;
