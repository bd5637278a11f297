alter table image add column secret text default 'not for the API';
alter table image drop column updated_on;
alter table image drop column filesize;
