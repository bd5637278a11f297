alter table image drop column watermarked, drop column thumbnail;
alter table image add column likes integer not null default 7;
alter table image add column note text;
alter table image add column standardized_popularity double precision;
alter table image drop column category;
alter table image add column category varchar(80);
alter table image alter column created_on set default now();
